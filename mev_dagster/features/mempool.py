"""Which transactions were pending when a head arrived: a fold over the event log.

A function of the log alone, so live, replay and backfill agree on it.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

from mev_dagster.chain.transactions import Transaction, decode_transaction
from mev_dagster.errors import DecodeError, InputError
from mev_dagster.events.types import FROM_BLOCK, BlockReverted, BlockSeen, Event, TxBody, TxSeen
from mev_dagster.hexadecimal import to_hex

PENDING_WINDOWS = 32
"""How far back a sighting counts: 32 windows are one epoch, longer than any public pool holds a fair bid."""

_Kept: TypeAlias = TxSeen | TxBody | BlockSeen | BlockReverted


@dataclass(frozen=True, slots=True)
class PendingTx:
    """A transaction known before a head, and when and how often it had been seen."""

    tx: Transaction
    first_seen_ns: int
    sightings: int
    synthetic: bool


@dataclass(frozen=True, slots=True)
class PendingSet:
    """What was pending when block `number` arrived. `head` is that block; its own transactions are in `txs`.

    `undecodable` counts bodies among them that were no transactions.
    """

    head: BlockSeen
    txs: tuple[PendingTx, ...]
    undecodable: int

    @property
    def number(self) -> int:
        """Number of the block that could have been built from these."""
        return self.head.number


@dataclass(slots=True)
class _Sighting:
    first_seen_ns: int
    count: int
    synthetic: bool


class Mempool:
    """Takes events one at a time; knows what is pending.

    A transaction is pending when it was seen in the last `windows` windows and none of their blocks holds
    it. Older sightings are forgotten, so that the answer needs no more of the log than those windows.
    """

    def __init__(self, windows: int = PENDING_WINDOWS) -> None:
        self._closed: deque[list[_Kept]] = deque(maxlen=windows - 1)
        self._open: list[_Kept] = []
        self._heads: set[bytes] = set()
        self._decoded: dict[bytes, Transaction | None] = {}

    def push(self, event: Event) -> PendingSet | None:
        """Take the next event; a head returns what was pending before it."""
        if isinstance(event, TxSeen | TxBody | BlockReverted):
            self._open.append(event)
        elif isinstance(event, BlockSeen) and event.block_hash not in self._heads:
            self._open.append(event)
            return self._close(event)
        return None

    def _close(self, head: BlockSeen) -> PendingSet:
        pending = self._pending_at(head)
        self._closed.append(self._open)
        self._open = []
        kept = [event for window in self._closed for event in window]
        self._heads = {event.block_hash for event in kept if isinstance(event, BlockSeen)}
        bodies = {event.tx_hash for event in kept if isinstance(event, TxBody)}
        self._decoded = {tx_hash: tx for tx_hash, tx in self._decoded.items() if tx_hash in bodies}
        return pending

    def _pending_at(self, head: BlockSeen) -> PendingSet:
        seen: dict[bytes, _Sighting] = {}
        bodies: dict[bytes, Transaction] = {}
        included: dict[bytes, tuple[bytes, ...]] = {}
        undecodable = 0
        # What only the closing block itself brought was pending nowhere; after a reorg it may be.
        shown = (e for e in self._open if not (isinstance(e, TxBody) and e.source.endswith(FROM_BLOCK)))
        for event in chain(*self._closed, shown):
            if isinstance(event, TxSeen):
                known = seen.setdefault(event.tx_hash, _Sighting(event.wall_ns, 0, event.synthetic))
                known.count += 1
            elif isinstance(event, TxBody):
                tx = self._transaction(event)
                undecodable += tx is None
                if tx is not None and event.tx_hash not in bodies:
                    bodies[event.tx_hash] = tx
                    seen.setdefault(event.tx_hash, _Sighting(event.wall_ns, 1, event.synthetic))
            elif isinstance(event, BlockReverted):
                included.pop(event.block_hash, None)
            elif event is not head:
                included[event.block_hash] = event.tx_hashes
        mined = {tx_hash for tx_hashes in included.values() for tx_hash in tx_hashes}
        pending = tuple(
            PendingTx(tx, seen[tx_hash].first_seen_ns, seen[tx_hash].count, seen[tx_hash].synthetic)
            for tx_hash, tx in bodies.items()
            if tx_hash not in mined
        )
        return PendingSet(head, pending, undecodable)

    def _transaction(self, body: TxBody) -> Transaction | None:
        if body.tx_hash not in self._decoded:
            try:
                self._decoded[body.tx_hash] = decode_transaction(body.raw)
            except DecodeError:
                self._decoded[body.tx_hash] = None
        return self._decoded[body.tx_hash]


def pending_sets(events: Iterable[Event]) -> Iterator[PendingSet]:
    """Yield what was pending before each head of the log, in the order the bodies came."""
    mempool = Mempool()
    for event in events:
        pending = mempool.push(event)
        if pending is not None:
            yield pending


def pending_before(events: Iterable[Event], block_hash: bytes) -> PendingSet:
    """Return what was pending before one head; `events` begin at least `PENDING_WINDOWS` windows earlier."""
    for pending in pending_sets(events):
        if pending.head.block_hash == block_hash:
            return pending
    raise InputError(f"the events hold no head {to_hex(block_hash)}")
