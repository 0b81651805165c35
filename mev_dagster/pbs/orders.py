"""What may enter a block: a ranked candidate (all its transactions or none), or one pending transaction."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Generic, Protocol, TypeVar

from mev_dagster.chain.transactions import Transaction


class OrderKind(StrEnum):
    """Where an order comes from."""

    CANDIDATE = "candidate"
    PENDING = "pending"


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
class Order:
    """Transactions that enter together, in order, or not at all.

    `profit_wei` is what the searcher gains when the order executes exactly as it was verified; it counts for
    the order's place in the queue, not for the bid, which only what the coinbase receives can pay.
    """

    order_id: bytes
    kind: OrderKind
    txs: tuple[Transaction, ...]
    profit_wei: int = 0
    sender: bytes | None = None
    sign_behind: Callable[[int], tuple[Transaction, ...]] | None = None

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
