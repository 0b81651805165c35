"""Cycles of two and three pools that already pay on the parent state."""

from collections.abc import Iterator

import numpy as np

from mev_dagster.search.landed import Landed
from mev_dagster.search.plan import Plan
from mev_dagster.search.strategies.backrun import Backrun
from mev_dagster.search.strategies.cycles import AT_THE_TOP, cycle_plan
from mev_dagster.search.view import BlockView


class Arbitrage:
    """Buy where a token is cheap and sell where it is dear, through one or two other tokens."""

    kind = "arbitrage"
    name = "arbitrage/1"

    def plans(self, view: BlockView) -> Iterator[Plan]:
        """Yield every cycle through wrapped ether that gains."""
        cycles = view.graph.cycles(view.wrapped_ether)
        most = view.graph.screen(view.wrapped_ether, view.inventory_wei).at_the_top().upper
        for position in np.flatnonzero(most > 0):
            cycle = cycles.all[position]
            plan = cycle_plan(view, cycle, AT_THE_TOP, self.kind, self.name)
            if plan is not None:
                yield plan

    def matches(self, plan: Plan, landed: Landed) -> bool:
        """Say whether somebody went through the same pools.

        What is labelled as a backrun, because somebody traded there before, may have paid without that.
        """
        return landed.kind in (self.kind, Backrun.kind) and set(plan.venues) == landed.pools
