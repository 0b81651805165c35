"""A block filled by each of several orderings, the best of them kept: before anything is paid from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.types import SimulationEngine, StateSession, StateSource
from mev_dagster.pbs.context import BlockContext
from mev_dagster.pbs.ordering import Dropped, Filling, Included, Ordering
from mev_dagster.pbs.orders import Order
from mev_dagster.pbs.refunds import PayRefund
from mev_dagster.pbs.sidecars import Sidecars


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """What may enter a block, and how it is tried."""

    engine: SimulationEngine
    context: BlockContext
    orders: tuple[Order, ...]
    pending: tuple[Transaction, ...]
    retries: int
    orderings: tuple[Ordering, ...]
    sidecars: Sidecars


@dataclass(frozen=True, slots=True)
class FilledBlock:
    """A block with all its orders, before anything is paid from it."""

    session: StateSession
    coinbase: bytes
    included: tuple[Included, ...]
    dropped: tuple[Dropped, ...]
    gas_room: int
    refunds_paid: int = 0
    values_wei: Mapping[Ordering, int] = field(default_factory=dict)

    @property
    def value_wei(self) -> int:
        """What the orders pay the coinbase."""
        return sum(item.value_wei for item in self.included)


def fill(
    plan: BlockPlan, state: StateSource, coinbase: bytes, gas_kept: int, pay: PayRefund | None
) -> FilledBlock:
    """Fill the block by each ordering; return the first of the best, with what each is worth."""
    tried = [
        (ordering, _filled_by(ordering, plan, state, coinbase, gas_kept, pay)) for ordering in plan.orderings
    ]
    best = max((filled for _, filled in tried), key=lambda filled: filled.value_wei)
    return replace(best, values_wei={ordering: filled.value_wei for ordering, filled in tried})


def _filled_by(
    ordering: Ordering,
    plan: BlockPlan,
    state: StateSource,
    coinbase: bytes,
    gas_kept: int,
    pay: PayRefund | None,
) -> FilledBlock:
    context = plan.context
    session = plan.engine.session(state, context.env(coinbase))
    filling = Filling(
        session,
        gas=context.gas_limit - gas_kept,
        base_fee_per_gas_wei=context.base_fee_per_gas_wei,
        ordering=ordering,
        blob_refusal=plan.sidecars.refusal,
        pay=pay,
    )
    filling.add_candidates(plan.orders, retries=plan.retries)
    filling.add_pending(plan.pending)
    room = filling.gas_left + gas_kept
    included, dropped = tuple(filling.included), tuple(filling.dropped)
    return FilledBlock(session, coinbase, included, dropped, room, filling.refunds_paid)
