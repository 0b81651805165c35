"""Which chain a node is on, and the one chain that a log is of.

An address says nothing about the chain behind it: the node there is asked at every connect and compared
with what the log began with. Another chain would otherwise look like a reorg that reverts everything.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mev_dagster.errors import LogCorrupt, NodeAnswerError, NodeTimeout, WrongChain
from mev_dagster.hexadecimal import from_hex, to_hex
from mev_dagster.node.envelope import shortened
from mev_dagster.node.link import NodeLink

CHAIN_FILE = "chain.json"
ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ChainIdentity:
    """A chain by its id and its first block; a pruned node may not know the block."""

    chain_id: int
    genesis_hash: bytes | None = None


async def identity_of(node: NodeLink) -> ChainIdentity:
    """Ask a node which chain it is on. The first block is told where the node still has it."""
    answer = await node.call("eth_chainId", timeout_seconds=ANSWER_SECONDS)
    try:
        chain_id = answer if isinstance(answer, int) else int(answer, 16)
    except (TypeError, ValueError):
        found = shortened(repr(answer))
        raise NodeAnswerError(f"{node.address}: eth_chainId: expected a number, found {found}") from None
    try:
        block = await node.call("eth_getBlockByNumber", "0x0", False, timeout_seconds=ANSWER_SECONDS)
        genesis_hash = from_hex(block["hash"], 32) if int(block["number"], 16) == 0 else None
    except (NodeAnswerError, NodeTimeout, KeyError, TypeError, ValueError):
        genesis_hash = None
    return ChainIdentity(chain_id, genesis_hash)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    chain_id: int
    genesis_hash: str | None = None


class ChainPin:
    """The chain of one log: open until the first node told it, kept in a file beside the log."""

    def __init__(self, path: Path | None = None, *, chain_id: int | None = None) -> None:
        self._path = path
        self.chain_id, self.genesis_hash = chain_id, None if path is None else _genesis_of(path, chain_id)
        self.confirmed = path is not None and path.exists()
        if path is not None and self.confirmed:
            self.chain_id = _read(path).chain_id

    def check(self, found: ChainIdentity, where: str) -> None:
        """Take the chain that a node is on, or raise `WrongChain` where the log is of another one."""
        if self.chain_id not in (None, found.chain_id):
            said = f"expected chain id {self.chain_id}, the node says {found.chain_id:#x}"
            raise WrongChain(f"{where}: {said}")
        if self.genesis_hash is not None and found.genesis_hash not in (None, self.genesis_hash):
            told = to_hex(found.genesis_hash or b"")
            raise WrongChain(
                f"{where}: expected the chain that begins with {to_hex(self.genesis_hash)}, found {told}"
            )
        genesis_hash = self.genesis_hash or found.genesis_hash
        if not self.confirmed or genesis_hash != self.genesis_hash:
            self.chain_id, self.genesis_hash, self.confirmed = found.chain_id, genesis_hash, True
            self._write()

    def _write(self) -> None:
        if self._path is None or self.chain_id is None:
            return
        genesis = None if self.genesis_hash is None else to_hex(self.genesis_hash)
        unfinished = self._path.with_suffix(".tmp")
        unfinished.write_bytes(msgspec.json.encode(_File(self.chain_id, genesis)))
        os.replace(unfinished, self._path)


def _read(path: Path) -> _File:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File)
    except (OSError, msgspec.MsgspecError) as error:
        raise LogCorrupt(f"{path}: {error}") from error


def _genesis_of(path: Path, chain_id: int | None) -> bytes | None:
    """Return the first block that the file names; a chain told otherwise than the file's is refused."""
    if not path.exists():
        return None
    kept = _read(path)
    if chain_id not in (None, kept.chain_id):
        raise WrongChain(f"{path}: the log is of chain {kept.chain_id}, the settings say {chain_id}")
    return None if kept.genesis_hash is None else from_hex(kept.genesis_hash)
