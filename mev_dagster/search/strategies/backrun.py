"""Restore the price that a pending swap moved, in the same block, right behind it."""

from collections.abc import Iterator
from itertools import islice

from mev_dagster.dex.graph import Cycle
from mev_dagster.dex.sizing import optimal_cycle
from mev_dagster.search.plan import Kind, Plan
from mev_dagster.search.strategies.arbitrage import Place, cycle_plan
from mev_dagster.search.view import BlockView, PendingRun

CYCLES_PER_TX = 3
"""Cycles through one moved pair compete for the same price gap; the best few are enough."""


class Backrun:
    """Close the gap between the pair a pending transaction traded on and its neighbours."""

    name = "backrun/1"

    def plans(self, view: BlockView) -> Iterator[Plan]:
        """Yield the best cycles behind every pending transaction that moved a pair."""
        for run in view.runs:
            if run.succeeded and run.moved:
                plans = sorted(
                    self._behind(run, view), key=lambda plan: (-plan.expected_profit_wei, plan.venues)
                )
                yield from islice(plans, CYCLES_PER_TX)

    def _behind(self, run: PendingRun, view: BlockView) -> Iterator[Plan]:
        place = Place((*run.prerequisites, run.tx), run.after)
        for cycle in view.graph.cycles(view.wrapped_ether, through=run.moved):
            plan = cycle_plan(view, cycle, place, Kind.BACKRUN, self.name)
            if plan is not None and plan.expected_profit_wei > _at_the_top(view, cycle):
                yield plan


def _at_the_top(view: BlockView, cycle: Cycle) -> int:
    """Return what the cycle pays without the transaction: a gap that was there before is not its doing."""
    size = optimal_cycle(view.graph.hops(cycle), view.inventory_wei)
    return size.profit if size is not None else 0
