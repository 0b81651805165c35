"""The bids of each slot: the best one, the floor, what was received and what was delivered.

The floor of an auction is its best bid sent without cancellations: nothing takes that one back, so nothing
worth less can become the best. A bid sent with cancellations stands until the builder's next one replaces it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from mev_dagster.pbs.types import SubmitBlockRequest

AuctionKey = tuple[int, bytes, bytes]
"""Slot, parent hash, proposer public key: what getHeader asks by."""

MAX_BIDS_KEPT = 4096
MAX_DELIVERED_KEPT = 4096


@dataclass(frozen=True, slots=True)
class ReceivedBid:
    """One verified bid; `order` counts arrivals, `cancellable` says whether its builder may take it back."""

    submission: SubmitBlockRequest
    order: int
    received_ns: int
    cancellable: bool = False


@dataclass(slots=True)
class RelayAuction:
    """All auctions the relay remembers."""

    received: list[ReceivedBid] = field(default_factory=list)
    delivered: list[ReceivedBid] = field(default_factory=list)
    _latest: dict[AuctionKey, dict[bytes, ReceivedBid]] = field(default_factory=dict)
    _floor: dict[AuctionKey, ReceivedBid] = field(default_factory=dict)
    _delivered_slots: dict[int, bytes] = field(default_factory=dict)

    def store(self, bid: ReceivedBid) -> None:
        """Record a verified bid: as its builder's latest, and as the floor where nothing may take it back."""
        key = key_of(bid.submission)
        self._latest.setdefault(key, {})[bid.submission.message.builder_pubkey] = bid
        floor = self._floor.get(key)
        if not bid.cancellable and (floor is None or _rank(bid) > _rank(floor)):
            self._floor[key] = bid
        self.received.append(bid)
        for stale in self.received[:-MAX_BIDS_KEPT]:
            self._forget(stale)
        del self.received[:-MAX_BIDS_KEPT]

    def floor_wei(self, key: AuctionKey) -> int:
        """Return the value that no withdrawal can undercut, 0 before the first such bid."""
        floor = self._floor.get(key)
        return 0 if floor is None else floor.submission.message.value

    def newer_than(self, submission: SubmitBlockRequest, order: int) -> bool:
        """Say whether the same builder has a bid in this auction that arrived later."""
        latest = self._latest.get(key_of(submission), {}).get(submission.message.builder_pubkey)
        return latest is not None and latest.order > order

    def withdraw(self, submission: SubmitBlockRequest) -> None:
        """Cancel the builder's bid of this auction; a floor it once set stays."""
        self._latest.get(key_of(submission), {}).pop(submission.message.builder_pubkey, None)

    def best(self, key: AuctionKey) -> ReceivedBid | None:
        """Return the highest bid that stands; the earlier one of equals."""
        standing = list(self._latest.get(key, {}).values())
        if key in self._floor:
            standing.append(self._floor[key])
        return max(standing, key=_rank, default=None)

    def deliver(self, bid: ReceivedBid, signed_root: bytes) -> bool:
        """Record that the proposer took a payload; False where its slot's went to another signed block.

        Asking again with the same block is a retry: the payload is given again and recorded once. A second
        block around the same payload is an equivocation as well.
        """
        slot = bid.submission.message.slot
        taken = self._delivered_slots.get(slot)
        if taken is not None:
            return taken == signed_root
        self._delivered_slots[slot] = signed_root
        self.delivered.append(bid)
        for stale in self.delivered[:-MAX_DELIVERED_KEPT]:
            self._delivered_slots.pop(stale.submission.message.slot, None)
        del self.delivered[:-MAX_DELIVERED_KEPT]
        return True

    def is_delivered(self, slot: int) -> bool:
        """Say whether a payload of this slot was handed over."""
        return slot in self._delivered_slots

    def with_block_hash(self, block_hash: bytes) -> ReceivedBid | None:
        """Return the received bid with this block hash."""
        return next(
            (bid for bid in reversed(self.received) if bid.submission.message.block_hash == block_hash), None
        )

    def bids(self) -> Iterator[ReceivedBid]:
        """Yield received bids, newest first."""
        yield from reversed(self.received)

    def _forget(self, bid: ReceivedBid) -> None:
        key = key_of(bid.submission)
        builders = self._latest.get(key, {})
        if builders.get(bid.submission.message.builder_pubkey) is bid:
            del builders[bid.submission.message.builder_pubkey]
        if self._floor.get(key) is bid:
            del self._floor[key]
        if not builders and key not in self._floor:
            self._latest.pop(key, None)


def _rank(bid: ReceivedBid) -> tuple[int, int]:
    return bid.submission.message.value, -bid.order


def key_of(submission: SubmitBlockRequest) -> AuctionKey:
    """Return the auction a submission bids in."""
    return (
        submission.message.slot,
        submission.message.parent_hash,
        submission.message.proposer_pubkey,
    )
