"""The bids of each slot: the best one, the floor, what was received and what was delivered."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from mev_dagster.pbs.types import SubmitBlockRequest

AuctionKey = tuple[int, bytes, bytes]
"""Slot, parent hash, proposer public key: what getHeader asks by."""

MAX_BIDS_KEPT = 4096


@dataclass(frozen=True, slots=True)
class ReceivedBid:
    """One verified bid; `order` counts arrivals."""

    submission: SubmitBlockRequest
    order: int
    received_ns: int


@dataclass(slots=True)
class RelayAuction:
    """All auctions the relay remembers. A builder's later bid replaces its earlier one."""

    floor_wei: int = 0
    received: list[ReceivedBid] = field(default_factory=list)
    delivered: list[ReceivedBid] = field(default_factory=list)
    _latest: dict[AuctionKey, dict[bytes, ReceivedBid]] = field(default_factory=dict)

    def store(self, bid: ReceivedBid) -> None:
        """Record a verified bid."""
        builders = self._latest.setdefault(key_of(bid.submission), {})
        builders[bid.submission.message.builder_pubkey] = bid
        self.received.append(bid)
        for stale in self.received[:-MAX_BIDS_KEPT]:
            self._forget(stale)
        del self.received[:-MAX_BIDS_KEPT]

    def newer_than(self, submission: SubmitBlockRequest, order: int) -> bool:
        """Say whether the same builder has a bid in this auction that arrived later."""
        latest = self._latest.get(key_of(submission), {}).get(submission.message.builder_pubkey)
        return latest is not None and latest.order > order

    def withdraw(self, submission: SubmitBlockRequest) -> None:
        """Cancel the builder's bid of this auction."""
        self._latest.get(key_of(submission), {}).pop(submission.message.builder_pubkey, None)

    def best(self, key: AuctionKey) -> ReceivedBid | None:
        """Return the highest bid; the earlier one of equals."""
        bids = self._latest.get(key, {}).values()
        return max(bids, key=lambda bid: (bid.submission.message.value, -bid.order), default=None)

    def deliver(self, bid: ReceivedBid) -> None:
        """Record that the proposer took a payload."""
        self.delivered.append(bid)

    def is_delivered(self, slot: int) -> bool:
        """Say whether a payload of this slot was handed over."""
        return any(bid.submission.message.slot == slot for bid in self.delivered)

    def with_block_hash(self, block_hash: bytes) -> ReceivedBid | None:
        """Return the received bid with this block hash."""
        return next(
            (bid for bid in reversed(self.received) if bid.submission.message.block_hash == block_hash), None
        )

    def bids(self) -> Iterator[ReceivedBid]:
        """Yield received bids, newest first."""
        yield from reversed(self.received)

    def _forget(self, bid: ReceivedBid) -> None:
        builders = self._latest.get(key_of(bid.submission), {})
        if builders.get(bid.submission.message.builder_pubkey) is bid:
            del builders[bid.submission.message.builder_pubkey]


def key_of(submission: SubmitBlockRequest) -> AuctionKey:
    """Return the auction a submission bids in."""
    return (
        submission.message.slot,
        submission.message.parent_hash,
        submission.message.proposer_pubkey,
    )
