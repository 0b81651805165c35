"""From an announced head to the blocks that lead to it: parents first, each asked for until it is had."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from cachetools import FIFOCache

from mev_dagster.chain.blocks import Block
from mev_dagster.chain.jsonrpc import block_from_rpc
from mev_dagster.errors import DecodeError, NodeAnswerError, NodeTimeout
from mev_dagster.hexadecimal import from_hex, to_hex
from mev_dagster.ingest.limits import check_block
from mev_dagster.node.envelope import shortened
from mev_dagster.node.link import NodeLink
from mev_dagster.telemetry.clock import Clock, SystemClock
from mev_dagster.telemetry.logging import logger
from mev_dagster.units import NS_PER_SECOND
from mev_dagster.windows.canonical_chain import BLOCKS_REMEMBERED, BlockRef, CanonicalChain
from mev_dagster.windows.memory import DecodedTransactions

# An outage of 50 minutes of mainnet is filled; a longer one leaves a gap that says how many are missing.
MAX_FILLED_BLOCKS = 256
PATIENCE_SECONDS = 6.0  # half a slot: behind a load balancer the block comes later than its head
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0
ASKED_AGAIN_AT_A_HEAD = 8

log = logger("ingest.rpc")


class HeadFollower:
    """Keeps to one node's canonical chain across reorgs, missed heads and reconnects.

    A block that is refused, for a lie or for an error, leaves a gap for now. It is asked for again at each
    head; once the node is honest, the chain is taken again from there, as a reorg would be.
    """

    def __init__(
        self,
        chain: CanonicalChain,
        decoded: DecodedTransactions,
        *,
        clock: Clock | None = None,
        refused: Callable[[str], None] = lambda reason: None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._chain = chain
        self._decoded = decoded
        self._clock = clock or SystemClock()
        self._tell_refused = refused
        self._patience_seconds = patience_seconds
        self._refused: FIFOCache[bytes, None] = FIFOCache(BLOCKS_REMEMBERED)

    def knows(self, head: Any) -> bool:
        """Say whether a head is in the chain, or was refused."""
        block_hash = _hash_of(head, "hash")
        return block_hash in self._chain or block_hash in self._refused

    async def follow(self, node: NodeLink, head: dict[str, Any]) -> AsyncIterator[Block]:
        """Yield the blocks between what is known and `head`, oldest first."""
        for block_hash in await self._path(node, head, await self._healed(node)):
            block = await self._fetched(node, block_hash)
            if block is None:
                continue  # the blocks after it come in behind a gap
            yield block
            # Only now: a block that its receiver never took must be fetched again.
            self._chain.extend(BlockRef(block.header.number, block.hash), block.header.parent_hash)

    async def _healed(self, node: NodeLink) -> frozenset[bytes]:
        """Return refused blocks that the node now tells the truth about and that follow on what we know."""
        found: set[bytes] = set()
        for block_hash in list(self._refused)[:ASKED_AGAIN_AT_A_HEAD]:
            try:
                block = self._checked(block_hash, await self._ask(node, block_hash, full=True))
            except (DecodeError, NodeAnswerError, NodeTimeout):
                continue
            if block is not None and block.header.parent_hash in self._chain:
                found.add(block_hash)
        for block_hash in found:
            del self._refused[block_hash]
        return frozenset(found)

    async def _path(self, node: NodeLink, head: dict[str, Any], healed: frozenset[bytes]) -> list[bytes]:
        """Return the hashes from the first unknown block to `head`, oldest first.

        Where blocks were healed that is the oldest healed ancestor, if there is one.
        """
        path: list[bytes] = []
        upto = 0  # how much of the path leads down to a healed or unknown block
        header = head
        while len(path) < MAX_FILLED_BLOCKS:
            block_hash, parent_hash = _hash_of(header, "hash"), _hash_of(header, "parentHash")
            if block_hash in self._refused:
                break
            known = block_hash in self._chain
            if known and not healed:
                break
            path.append(block_hash)
            if not known or block_hash in healed:
                upto = len(path)
            healed -= {block_hash}
            if self._chain.tip is None or header.get("number") == "0x0":
                break
            if not healed and parent_hash in self._chain:
                break
            parent = await self._ask(node, parent_hash, full=False)
            if parent is None:
                break
            header = parent
        return path[:upto][::-1]

    async def _fetched(self, node: NodeLink, block_hash: bytes) -> Block | None:
        """Return a block, asked for again within its slot while the node lacks it; else it is refused."""
        deadline_ns = self._clock.mono_ns() + round(self._patience_seconds * NS_PER_SECOND)
        pause = FIRST_PAUSE_SECONDS
        while True:
            why = "the node does not have it"
            try:
                block = self._checked(block_hash, await self._ask(node, block_hash, full=True))
            except DecodeError as error:
                self._refuse(block_hash, str(error))
                return None
            except (NodeAnswerError, NodeTimeout) as error:
                block, why = None, str(error)
            if block is not None:
                return block
            if self._clock.mono_ns() >= deadline_ns:
                self._refuse(block_hash, why)
                return None
            await self._clock.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _checked(self, block_hash: bytes, answer: Any) -> Block | None:
        if answer is None:
            return None
        if not isinstance(answer, dict):
            raise DecodeError("bad_json_field", f"block: expected an object, found {shortened(repr(answer))}")
        block = block_from_rpc(answer, known=self._decoded.get, keep_foreign=True)
        if block.hash != block_hash:
            raise DecodeError("block_mismatch", f"asked for {to_hex(block_hash)}, got {to_hex(block.hash)}")
        check_block(block)
        return block

    def _refuse(self, block_hash: bytes, why: str) -> None:
        log.warning("block refused", block_hash=block_hash, why=shortened(why))
        self._refused[block_hash] = None
        self._tell_refused("block_refused")

    async def _ask(self, node: NodeLink, block_hash: bytes, *, full: bool) -> Any:
        return await node.call(
            "eth_getBlockByHash", to_hex(block_hash), full, timeout_seconds=self._patience_seconds
        )


def _hash_of(header: Any, name: str) -> bytes:
    try:
        return from_hex(header[name], 32)
    except (KeyError, TypeError, ValueError):
        found = shortened(str(header))
        raise NodeAnswerError(f"head: {name}: expected 32 bytes, found {found}") from None
