"""What strategies of cycles share: where in the block a cycle stands, its best size there, and its plan."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from mev_dagster.chain.transactions import Transaction
from mev_dagster.dex.cycle import Cycle
from mev_dagster.dex.sizing import CycleSize, optimal_cycle, searched_cycle
from mev_dagster.dex.venue import Pool
from mev_dagster.errors import MissingState, Unquotable
from mev_dagster.search.plan import Plan, cycle_call, route_tokens
from mev_dagster.search.view import BlockView


class Place(NamedTuple):
    """Where in the block a call stands: behind these transactions, which left these pools moved."""

    behind: tuple[Transaction, ...]
    pools: Mapping[bytes, Pool]


AT_THE_TOP = Place((), {})


def cycle_size(view: BlockView, cycle: Cycle, place: Place) -> CycleSize | None:
    """Return the best size of a cycle in its place; None when no size gains or one pool cannot be quoted."""
    pools = pools_of(view, cycle, place)
    try:
        closed = [
            pool.constant_product(leg.token_in, leg.token_out) for leg, pool in zip(cycle, pools, strict=True)
        ]
        hops = tuple(hop for hop in closed if hop is not None)
        if len(hops) == len(closed):
            return optimal_cycle(hops, view.inventory_wei)
        quotes = [
            partial(pool.quote, leg.token_in, leg.token_out) for leg, pool in zip(cycle, pools, strict=True)
        ]
        return searched_cycle(quotes, view.inventory_wei)
    except (Unquotable, MissingState):
        return None


def pools_of(view: BlockView, cycle: Cycle, place: Place) -> list[Pool]:
    """Return the pools along a cycle as they stand in its place."""
    return [place.pools.get(leg.pool) or view.graph.pools[leg.pool] for leg in cycle]


def cycle_plan(view: BlockView, cycle: Cycle, place: Place, kind: str, strategy: str) -> Plan | None:
    """Return the plan to run `cycle` at its best size in `place`; None when it gains or trades nothing."""
    size = cycle_size(view, cycle, place)
    if size is None:
        return None
    try:
        call = cycle_call(cycle, pools_of(view, cycle, place), size.amounts, view.searcher.executor)
    except Unquotable:
        return None
    return Plan(
        kind=kind,
        strategy=strategy,
        items=(*place.behind, call),
        venues=tuple(leg.pool for leg in cycle),
        tokens=route_tokens(cycle),
        size_wei=size.amounts[0],
        expected_profit_wei=size.profit,
    )
