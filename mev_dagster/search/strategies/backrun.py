"""Restore the price that a pending swap moved, in the same block, right behind it."""

from collections.abc import Iterator
from itertools import islice

from mev_dagster.dex.graph import Cycle
from mev_dagster.search.landed import Landed
from mev_dagster.search.pending import PendingRun
from mev_dagster.search.plan import Plan
from mev_dagster.search.strategies.cycles import AT_THE_TOP, Place, cycle_plan, cycle_size
from mev_dagster.search.view import BlockView

CYCLES_PER_TX = 3
"""Cycles through one moved pool compete for the same price gap; the best few are enough."""


class Backrun:
    """Close the gap between the pool a pending transaction traded on and its neighbours."""

    kind = "backrun"
    name = "backrun/1"

    def plans(self, view: BlockView) -> Iterator[Plan]:
        """Yield the best cycles behind every pending transaction that moved a pool."""
        for run in view.runs:
            if run.succeeded and run.moved:
                plans = sorted(
                    self._behind(run, view), key=lambda plan: (-plan.expected_profit_wei, plan.venues)
                )
                yield from islice(plans, CYCLES_PER_TX)

    def _behind(self, run: PendingRun, view: BlockView) -> Iterator[Plan]:
        place = Place((*run.prerequisites, run.tx), run.after)
        cycles = view.graph.cycles(view.wrapped_ether)
        for position in cycles.through(run.moved):
            cycle = cycles.all[position]
            plan = cycle_plan(view, cycle, place, self.kind, self.name)
            if plan is not None and plan.expected_profit_wei > _at_the_top(view, cycle):
                yield plan

    def matches(self, plan: Plan, landed: Landed) -> bool:
        """Say whether somebody stood behind the same transaction and crossed one of the same pools."""
        victims = {tx.hash for tx in plan.pending[-1:]}
        return (
            landed.kind == self.kind and victims == landed.victims and bool(set(plan.venues) & landed.pools)
        )


def _at_the_top(view: BlockView, cycle: Cycle) -> int:
    """Return what the cycle pays without the transaction: a gap that was there before is not its doing."""
    size = cycle_size(view, cycle, AT_THE_TOP)
    return size.profit if size is not None else 0
