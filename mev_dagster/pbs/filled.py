"""A block filled by the best of several orderings and of their merge: before anything is paid from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.types import SimulationEngine, StateSession, StateSource
from mev_dagster.pbs.context import BlockContext
from mev_dagster.pbs.ordering import Dropped, Filling, Included
from mev_dagster.pbs.orders import Order
from mev_dagster.pbs.refunds import PayRefund
from mev_dagster.pbs.sidecars import Sidecars
from mev_dagster.pbs.sim_values import Ordering, SimValues, in_order


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
    """Fill the block by the best of the orderings and of their merge; say what each is worth.

    Pending transactions are simulated once. Where all of them fit, only groups in conflict are tried out in
    several orders. Where room is scarce, or a merge turns out worth less than was worked out, the block is
    filled by each ordering as a whole, and the first of the best is kept.
    """
    filling, session = _begun(plan, state, coinbase, gas_kept, pay)
    values = filling.simulated(plan.pending)
    sequences = {ordering: list(in_order(values, ordering)) for ordering in plan.orderings}
    tried: list[FilledBlock] = []
    if len(sequences) > 1 and _all_fit(values, filling.gas_left):
        sequence, worth = filling.merged(values, sequences)
        before_wei = sum(item.value_wei for item in filling.included)
        filling.add_in_order(sequence)
        block = _ended(filling, session, coinbase, gas_kept)
        expected = {ordering: before_wei + worth_wei for ordering, worth_wei in worth.items()}
        if block.value_wei >= max(expected.values()):
            better = {Ordering.MERGED: block.value_wei} if block.value_wei > max(expected.values()) else {}
            return replace(block, values_wei=expected | better)
        tried.append(replace(block, values_wei={Ordering.MERGED: block.value_wei}))
    for ordering, sequence in sequences.items():
        if tried or ordering is not plan.orderings[0]:
            filling, session = _begun(plan, state, coinbase, gas_kept, pay)
        filling.add_in_order(sequence)
        block = _ended(filling, session, coinbase, gas_kept)
        tried.append(replace(block, values_wei={ordering: block.value_wei}))
    tried.sort(key=lambda block: Ordering.MERGED in block.values_wei)  # an ordering of equal worth stands
    best = max(tried, key=lambda block: block.value_wei)
    return replace(best, values_wei={name: wei for block in tried for name, wei in block.values_wei.items()})


def _all_fit(values: SimValues, gas_left: int) -> bool:
    """Say whether no order can leave a transaction without room."""
    used = sum(one.gas_used for queue in values.values() for one in queue)
    return used + max((one.tx.gas_limit for queue in values.values() for one in queue), default=0) <= gas_left


def _begun(
    plan: BlockPlan, state: StateSource, coinbase: bytes, gas_kept: int, pay: PayRefund | None
) -> tuple[Filling, StateSession]:
    """Return the block with its candidates and bundles in."""
    context = plan.context
    session = plan.engine.session(state, context.env(coinbase))
    filling = Filling(
        session,
        gas=context.gas_limit - gas_kept,
        base_fee_per_gas_wei=context.base_fee_per_gas_wei,
        blob_refusal=plan.sidecars.refusal,
        pay=pay,
    )
    filling.add_candidates(plan.orders, retries=plan.retries)
    return filling, session


def _ended(filling: Filling, session: StateSession, coinbase: bytes, gas_kept: int) -> FilledBlock:
    room = filling.gas_left + gas_kept
    included, dropped = tuple(filling.included), tuple(filling.dropped)
    return FilledBlock(session, coinbase, included, dropped, room, filling.refunds_paid)
