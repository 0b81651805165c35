"""From an announced head to the blocks that lead to it: parents first, each fetched once and checked."""

from collections.abc import AsyncIterator
from typing import Any

from cachetools import FIFOCache

from mev_dagster.chain.blocks import Block
from mev_dagster.chain.jsonrpc import block_from_rpc
from mev_dagster.errors import DecodeError, NodeAnswerError
from mev_dagster.hexadecimal import from_hex, to_hex
from mev_dagster.node.websocket import NodeConnection
from mev_dagster.telemetry.logging import logger
from mev_dagster.windows.canonical_chain import BLOCKS_REMEMBERED, BlockRef, CanonicalChain
from mev_dagster.windows.memory import DecodedTransactions

# An outage of 50 minutes of mainnet is filled; a longer one leaves a gap that says how many are missing.
MAX_FILLED_BLOCKS = 256

log = logger("ingest.rpc")


class HeadFollower:
    """Keeps to one node's canonical chain across reorgs, missed heads and reconnects."""

    def __init__(self, chain: CanonicalChain, decoded: DecodedTransactions) -> None:
        self._chain = chain
        self._decoded = decoded
        self._refused: FIFOCache[bytes, None] = FIFOCache(BLOCKS_REMEMBERED)

    async def follow(self, node: NodeConnection, head: dict[str, Any]) -> AsyncIterator[Block]:
        """Yield the blocks between what is known and `head`, oldest first.

        Ends early when the node no longer has one of them: then a newer head is already on its way.
        """
        for block_hash in await self._path(node, head):
            answer = await node.call("eth_getBlockByHash", to_hex(block_hash), True)
            if answer is None:
                return
            try:
                block = block_from_rpc(answer, known=self._decoded.get, keep_foreign=True)
            except DecodeError as error:
                log.warning("block refused", block_hash=block_hash, error=error)
                self._refused[block_hash] = None  # the blocks after it come in behind a gap
                return
            yield block
            # Only now: a block that its receiver never took must be fetched again.
            self._chain.extend(BlockRef(block.header.number, block.hash), block.header.parent_hash)

    async def _path(self, node: NodeConnection, head: dict[str, Any]) -> list[bytes]:
        """Return the hashes from the first unknown block to `head`, oldest first."""
        path: list[bytes] = []
        header = head
        while len(path) < MAX_FILLED_BLOCKS:
            block_hash, parent_hash = _hash_of(header, "hash"), _hash_of(header, "parentHash")
            if block_hash in self._chain or block_hash in self._refused:
                break
            path.append(block_hash)
            if self._chain.tip is None or parent_hash in self._chain or header.get("number") == "0x0":
                break
            header = await node.call("eth_getBlockByHash", to_hex(parent_hash), False)
            if header is None:
                break
        path.reverse()
        return path


def _hash_of(header: Any, name: str) -> bytes:
    try:
        return from_hex(header[name], 32)
    except (KeyError, TypeError, ValueError):
        raise NodeAnswerError(f"head: {name}: expected 32 bytes, found {str(header)[:200]}") from None
