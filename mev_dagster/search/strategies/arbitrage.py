"""Cycles of two and three pairs that already pay on the parent state."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mev_dagster.chain.transactions import Transaction
from mev_dagster.dex.graph import Cycle
from mev_dagster.dex.sizing import optimal_cycle
from mev_dagster.dex.venues.uniswap_v2 import Pair
from mev_dagster.search.plan import Kind, Plan, cycle_call, route_tokens
from mev_dagster.search.view import BlockView


class Place(NamedTuple):
    """Where in the block a call stands: behind these transactions, which left these pairs moved."""

    behind: tuple[Transaction, ...]
    pairs: Mapping[bytes, Pair]


AT_THE_TOP = Place((), {})


class Arbitrage:
    """Buy where a token is cheap and sell where it is dear, through one or two other tokens."""

    name = "arbitrage/1"

    def plans(self, view: BlockView) -> Iterator[Plan]:
        """Yield every cycle through wrapped ether that gains."""
        for cycle in view.graph.cycles(view.wrapped_ether):
            plan = cycle_plan(view, cycle, AT_THE_TOP, Kind.ARBITRAGE, self.name)
            if plan is not None:
                yield plan


def cycle_plan(view: BlockView, cycle: Cycle, place: Place, kind: Kind, strategy: str) -> Plan | None:
    """Return the plan to run `cycle` at its best size in `place`; None when no size gains."""
    now = place.pairs
    size = optimal_cycle(view.graph.hops(cycle, now), view.inventory_wei)
    if size is None:
        return None
    pairs = [now.get(leg.pair, view.graph.pairs[leg.pair]) for leg in cycle]
    call = cycle_call(cycle, pairs, size.amounts, view.searcher.executor)
    return Plan(
        kind=kind,
        strategy=strategy,
        items=(*place.behind, call),
        venues=tuple(leg.pair for leg in cycle),
        tokens=route_tokens(cycle),
        size_wei=size.amounts[0],
        expected_profit_wei=size.profit,
    )
