"""What may enter a block: a ranked candidate (all its transactions or none), or one pending transaction."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Generic, Protocol, TypeVar

from mev_dagster.chain.transactions import Transaction


class OrderKind(StrEnum):
    """Where an order comes from."""

    CANDIDATE = "candidate"
    PENDING = "pending"
    BUNDLE = "bundle"
    SHARE_BUNDLE = "share_bundle"


class RankedCandidate(Protocol):
    """What the search hands over, as far as block building needs it."""

    @property
    def opportunity_id(self) -> bytes:
        """The decision's id."""
        ...

    @property
    def txs(self) -> tuple[Transaction, ...]:
        """Transactions in order of execution, victims included."""
        ...

    @property
    def verified(self) -> bool:
        """Whether execution confirmed a profit after gas."""
        ...

    @property
    def simulated_profit_wei(self) -> int | None:
        """Profit by execution on the parent's state, after gas; None when it was not executed."""
        ...


Candidate = TypeVar("Candidate", bound=RankedCandidate)


@dataclass(frozen=True, slots=True)
class Resigner(Generic[Candidate]):
    """Signs a candidate's own transactions again, for standing behind `count` others of the same sender.

    Every candidate is signed as if it were the searcher's only one; a second one in the block needs the
    nonces that follow the first's. The decision, and so its id, stays the same.
    """

    sender: bytes
    sign: Callable[[Candidate, int], tuple[Transaction, ...]]


@dataclass(frozen=True, slots=True)
class RefundRule:
    """Who is refunded of what some of an order's transactions pay the coinbase.

    `paying` are their places in the order. Of what they pay, less what paying costs, `percent` is refunded,
    split as (address, percent).
    """

    paying: tuple[int, ...]
    percent: int
    split: tuple[tuple[bytes, int], ...]

    def payments(self, gains_wei: Sequence[int], cost_wei: int) -> list[tuple[bytes, int]] | None:
        """Return whom to pay how many wei, None where not even `cost_wei` a payment is covered."""
        left = sum(gains_wei[place] for place in self.paying) - cost_wei * len(self.split)
        if left <= 0:
            return None
        return [(address, left * self.percent // 100 * share // 100) for address, share in self.split]


@dataclass(frozen=True, slots=True)
class Order:
    """Transactions that enter together, in order, or not at all.

    `may_revert` are the places of those that need not succeed; none may be invalid. `refunds` are paid behind
    them, within the order.

    `profit_wei` is what the searcher gains when the order executes exactly as it was verified; it counts for
    the order's place in the queue, not for the bid, which only what the coinbase receives can pay.
    """

    order_id: bytes
    kind: OrderKind
    txs: tuple[Transaction, ...]
    profit_wei: int = 0
    sender: bytes | None = None
    sign_behind: Callable[[int], tuple[Transaction, ...]] | None = None
    may_revert: frozenset[int] = frozenset()
    refunds: tuple[RefundRule, ...] = ()

    def behind(self, count: int) -> "Order":
        """Return the order as it stands behind `count` transactions of its sender."""
        if not count or self.sign_behind is None:
            return self
        return replace(self, txs=self.sign_behind(count))


def orders_of(
    candidates: Iterable[Candidate], resigner: Resigner[Candidate] | None = None
) -> tuple[Order, ...]:
    """Return the orders of the candidates that execution confirmed."""
    return tuple(
        Order(
            candidate.opportunity_id,
            OrderKind.CANDIDATE,
            candidate.txs,
            candidate.simulated_profit_wei or 0,
            None if resigner is None else resigner.sender,
            None if resigner is None else partial(resigner.sign, candidate),
        )
        for candidate in candidates
        if candidate.verified
    )
