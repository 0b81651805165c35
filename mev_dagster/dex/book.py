"""All pools the project knows, with their state behind one block, kept by the logs of each block after it.

A block is applied once and can be taken back, so the book follows a reorg. A pool whose logs do not tell how
it stands, or that the chain contradicts, is doubted: it stays in the book and is handed to no search until it
is read again. Live, replay and backfill apply the same logs, so their digests are equal.
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.events import events_of
from mev_dagster.dex.registry import discover, read_again
from mev_dagster.dex.venue import ChainAt, Pool
from mev_dagster.dex.venue_events import LiquidationEvent, OrderFilled, PoolCreated
from mev_dagster.errors import InputError, MissingState, Unquotable
from mev_dagster.hexadecimal import to_hex

BLOCKS_KEPT = 64
"""Blocks that can be taken back; two epochs are final."""
MOST_WANTED = 1_000_000
"""Addresses seen and not read yet that are remembered."""


class Doubt(StrEnum):
    """Why a pool is not searched."""

    UNCLEAR = "its logs do not say how it stands"
    DRIFTED = "the chain says otherwise"
    GONE = "it is no pool any more"
    REORGED = "blocks were taken back that the book had forgotten"


@dataclass(slots=True)
class _Block:
    """A block that was applied, and what was there before it."""

    number: int
    block_hash: bytes
    parent_hash: bytes
    pools: dict[bytes, Pool | None] = field(default_factory=dict)
    doubts: dict[bytes, Doubt | None] = field(default_factory=dict)


class PoolBook:
    """The pools behind block `number`, whose hash is `block_hash`."""

    def __init__(self, pools: Iterable[Pool] = (), *, number: int = 0, block_hash: bytes = b"") -> None:
        self.number, self.block_hash = number, block_hash
        self.doubts: dict[bytes, Doubt] = {}
        self.wanted: dict[bytes, None] = {}
        self._pools = {pool.address: pool for pool in pools}
        self._blocks: deque[_Block] = deque(maxlen=BLOCKS_KEPT)

    def __len__(self) -> int:
        return len(self._pools)

    def __contains__(self, address: bytes) -> bool:
        return address in self._pools

    @property
    def known(self) -> Mapping[bytes, Pool]:
        """Return every pool, doubted ones too, as the book has it."""
        return self._pools

    def searchable(self) -> list[Pool]:
        """Return the pools that nothing speaks against, in the order of their addresses."""
        return [self._pools[address] for address in sorted(self._pools) if address not in self.doubts]

    # Following the chain

    def apply(self, number: int, block_hash: bytes, parent_hash: bytes, logs: Sequence[Log]) -> None:
        """Take a block's logs, in order. Raises `InputError` for a block that is not the next one."""
        if self.block_hash and parent_hash != self.block_hash:
            raise InputError(
                f"block {number} stands on {to_hex(parent_hash)}, the book on {to_hex(self.block_hash)}"
            )
        self._blocks.append(_Block(number, block_hash, parent_hash))
        self.number, self.block_hash = number, block_hash
        for position, event in events_of(logs):
            if isinstance(event, LiquidationEvent | OrderFilled):
                continue
            pool = self._pools.get(event.pool)
            if pool is None:
                self.want(event.pool)
            elif not isinstance(event, PoolCreated) and self.doubts.get(event.pool) is None:
                behind = pool.after(logs[position])
                if behind is None:
                    self._doubt(event.pool, Doubt.UNCLEAR)
                elif behind is not pool:
                    self._put(event.pool, behind)

    def undo(self) -> int:
        """Take the last block back; return its number. Raises `InputError` where none is remembered."""
        if not self._blocks:
            raise InputError(f"the book remembers no block before {self.number}")
        last = self._blocks.pop()
        for address, pool in last.pools.items():
            if pool is None:
                self._pools.pop(address, None)
                self.want(address)
            else:
                self._pools[address] = pool
        for address, doubt in last.doubts.items():
            if doubt is None:
                self.doubts.pop(address, None)
            else:
                self.doubts[address] = doubt
        self.number, self.block_hash = last.number - 1, last.parent_hash
        return last.number

    def back_to(self, block_hash: bytes) -> bool:
        """Take blocks back until the book is behind this one; where it has forgotten it, doubt every pool."""
        while self._blocks and self.block_hash != block_hash:
            self.undo()
        if self.block_hash == block_hash:
            return True
        for address in self._pools:
            self._doubt(address, Doubt.REORGED)
        return False

    # Held against the chain; `chain` is the state behind the book's block

    def read(self, chain: ChainAt, addresses: Iterable[bytes] | None = None) -> int:
        """Read what is wanted and what is doubted, or these; return how many of them are pools."""
        asked = sorted({*self.wanted, *self.doubts}) if addresses is None else sorted(addresses)
        found = {pool.address: pool for pool in discover(chain, asked).pools}
        for address in asked:
            self.wanted.pop(address, None)
            if address in found:
                self._put(address, found[address])
                self._trust(address)
            elif address in self._pools:
                self._doubt(address, Doubt.GONE)
        return len(found)

    def check(self, chain: ChainAt, addresses: Iterable[bytes]) -> list[bytes]:
        """Compare pools with the chain; return those that drifted, which are doubted from here on."""
        drifted = []
        for address in addresses:
            pool = self._pools[address]
            try:
                stands = read_again(chain, pool) == pool
            except MissingState:
                continue
            except Unquotable:
                stands = False
            if not stands:
                drifted.append(address)
                self._doubt(address, Doubt.DRIFTED)
        return drifted

    def sample(self, count: int) -> list[bytes]:
        """Return the pools to check behind this block: other ones behind the next, all of them in turn."""
        ordered = [address for address in sorted(self._pools) if address not in self.doubts]
        if not ordered:
            return []
        start = self.number * count % len(ordered)
        return [ordered[(start + step) % len(ordered)] for step in range(min(count, len(ordered)))]

    def digest(self) -> bytes:
        """Return the SHA-256 of the block and of every pool that can be searched."""
        digest = hashlib.sha256(self.number.to_bytes(8, "big") + self.block_hash)
        for pool in self.searchable():
            said = (pool.family, [to_hex(token) for token in pool.tokens], pool.fee_ppm, tuple(pool.at))
            digest.update(pool.address + repr(said).encode())
        return digest.digest()

    # Every change is remembered with its block

    def _put(self, address: bytes, pool: Pool) -> None:
        if self._blocks:
            self._blocks[-1].pools.setdefault(address, self._pools.get(address))
        self._pools[address] = pool

    def _doubt(self, address: bytes, doubt: Doubt) -> None:
        if self._blocks:
            self._blocks[-1].doubts.setdefault(address, self.doubts.get(address))
        self.doubts[address] = doubt

    def _trust(self, address: bytes) -> None:
        if address in self.doubts:
            if self._blocks:
                self._blocks[-1].doubts.setdefault(address, self.doubts[address])
            del self.doubts[address]

    def want(self, address: bytes) -> None:
        """Remember an address that may be a pool, to be read when the chain is next at hand."""
        if len(self.wanted) < MOST_WANTED:
            self.wanted.setdefault(address)
