"""Which transactions were pending when a head arrived: a fold over the event log.

A function of the log alone, so live, replay and backfill agree on it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mev_dagster.chain.transactions import Transaction, decode_transaction
from mev_dagster.errors import DecodeError
from mev_dagster.events.types import BlockReverted, BlockSeen, Event, TxBody, TxSeen


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

    `undecodable` counts bodies that were no transactions.
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
    """Takes events one at a time; knows what is pending."""

    def __init__(self) -> None:
        self._bodies: dict[bytes, Transaction] = {}
        self._seen: dict[bytes, _Sighting] = {}
        self._included: dict[bytes, tuple[bytes, ...]] = {}
        self._mined: set[bytes] = set()
        self._undecodable = 0

    def push(self, event: Event) -> PendingSet | None:
        """Take the next event; a head returns what was pending before it."""
        if isinstance(event, TxSeen):
            self._sight(event.tx_hash, event.wall_ns, event.synthetic)
        elif isinstance(event, TxBody):
            self._add(event)
        elif isinstance(event, BlockSeen):
            return self._include(event)
        elif isinstance(event, BlockReverted):
            self._mined.difference_update(self._included.pop(event.block_hash, ()))
        return None

    def _sight(self, tx_hash: bytes, wall_ns: int, synthetic: bool) -> None:
        known = self._seen.get(tx_hash)
        if known is None:
            self._seen[tx_hash] = _Sighting(wall_ns, 1, synthetic)
        else:
            known.count += 1

    def _add(self, event: TxBody) -> None:
        if event.tx_hash in self._bodies:
            return
        try:
            self._bodies[event.tx_hash] = decode_transaction(event.raw)
        except DecodeError:
            self._undecodable += 1
            return
        if event.tx_hash not in self._seen:
            self._seen[event.tx_hash] = _Sighting(event.wall_ns, 1, event.synthetic)

    def _include(self, head: BlockSeen) -> PendingSet | None:
        if head.block_hash in self._included:
            return None
        pending = tuple(
            PendingTx(tx, seen.first_seen_ns, seen.count, seen.synthetic)
            for tx_hash, tx in self._bodies.items()
            if tx_hash not in self._mined
            for seen in (self._seen[tx_hash],)
        )
        self._included[head.block_hash] = head.tx_hashes
        self._mined.update(head.tx_hashes)
        undecodable, self._undecodable = self._undecodable, 0
        return PendingSet(head, pending, undecodable)


def pending_sets(events: Iterable[Event]) -> Iterator[PendingSet]:
    """Yield what was pending before each head of the log, in the order the bodies came."""
    mempool = Mempool()
    for event in events:
        pending = mempool.push(event)
        if pending is not None:
            yield pending
