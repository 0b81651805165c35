"""What may enter a block: a ranked candidate (all its transactions or none), or one pending transaction."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

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
    def simulated_profit_wei(self) -> int | None:
        """Profit by execution on the parent's state, after gas; None when it was not executed."""
        ...


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


def orders_of(candidates: Iterable[RankedCandidate]) -> tuple[Order, ...]:
    """Return the orders of candidates that were verified by execution with a profit."""
    return tuple(
        Order(candidate.opportunity_id, OrderKind.CANDIDATE, candidate.txs, candidate.simulated_profit_wei)
        for candidate in candidates
        if candidate.simulated_profit_wei is not None and candidate.simulated_profit_wei > 0
    )
