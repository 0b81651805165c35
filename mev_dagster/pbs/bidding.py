"""How much of a block's value to offer: pure functions of what is known at the moment of bidding.

Amounts are wei. `None` is no bid. No strategy offers more than the block is worth unless it is told what
subsidy it may add.
"""

from dataclasses import dataclass
from typing import Protocol

BASIS_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class BidContext:
    """What a strategy may look at; `block_value_wei` is what remains after paying for the payout itself.

    `affordable_wei` is what the builder's account can pay at all; None where nothing but the value counts.
    """

    block_value_wei: int
    top_bid_wei: int | None = None
    ms_into_slot: int = 0
    affordable_wei: int | None = None


class BidStrategy(Protocol):
    """Decides the bid for one sealed or nearly sealed block."""

    def bid(self, context: BidContext) -> int | None:
        """Return the bid in wei, or None for no bid."""
        ...


@dataclass(frozen=True, slots=True)
class TrueValue:
    """Offer everything."""

    def bid(self, context: BidContext) -> int | None:
        """Return the block's whole value."""
        return _positive(context.block_value_wei)


@dataclass(frozen=True, slots=True)
class FixedMargin:
    """Keep a share of the value (basis points) and a fixed amount (wei)."""

    share_bps: int = 0
    amount_wei: int = 0

    def bid(self, context: BidContext) -> int | None:
        """Return the value without the margin."""
        share = context.block_value_wei * self.share_bps // BASIS_POINTS
        return _positive(context.block_value_wei - share - self.amount_wei)


@dataclass(frozen=True, slots=True)
class Outbid:
    """Offer just more than the best known bid, and never the last `min_margin_wei`."""

    increment_wei: int = 1
    min_margin_wei: int = 0

    def bid(self, context: BidContext) -> int | None:
        """Return the smallest bid that wins, or None when winning would cost the margin."""
        ceiling = context.block_value_wei - self.min_margin_wei
        if context.top_bid_wei is None:
            return _positive(ceiling)
        wanted = context.top_bid_wei + self.increment_wei
        return _positive(wanted) if wanted <= ceiling else None


@dataclass(frozen=True, slots=True)
class Timed:
    """Keep `first_share_bps` at the slot's start, less with time, `last_share_bps` at the cut-off."""

    first_share_bps: int
    last_share_bps: int
    cutoff_ms: int = 3_000

    def bid(self, context: BidContext) -> int | None:
        """Return the value without the margin of this moment; nothing after the cut-off."""
        if not 0 <= context.ms_into_slot <= self.cutoff_ms:
            return None
        span = self.first_share_bps - self.last_share_bps
        share_bps = self.first_share_bps - span * context.ms_into_slot // self.cutoff_ms
        return FixedMargin(share_bps).bid(context)


@dataclass(frozen=True, slots=True)
class Subsidised:
    """Add up to `cap_wei` of the builder's own money when that makes another strategy's block win."""

    strategy: BidStrategy
    cap_wei: int

    def bid(self, context: BidContext) -> int | None:
        """Return the strategy's bid, raised to one wei above the best known where cap and purse allow.

        A subsidy that cannot win is not paid: the strategy's own bid stands.
        """
        own = self.strategy.bid(context) or 0
        if context.top_bid_wei is None or own > context.top_bid_wei:
            return _positive(own)
        wanted, ceiling = context.top_bid_wei + 1, max(context.block_value_wei, 0) + self.cap_wei
        if context.affordable_wei is not None:
            ceiling = min(ceiling, context.affordable_wei)
        return wanted if wanted <= ceiling else _positive(own)


def offer_wei(strategy: BidStrategy, context: BidContext) -> int:
    """Return what to bid, 0 for nothing: the strategy's word, as far as it can be paid."""
    offered = strategy.bid(context) or 0
    if context.affordable_wei is not None:
        offered = min(offered, context.affordable_wei)
    return max(offered, 0)


def _positive(amount_wei: int) -> int | None:
    return amount_wei if amount_wei > 0 else None
