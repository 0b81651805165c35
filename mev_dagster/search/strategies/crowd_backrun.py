"""Restore the price that several pending swaps moved together, behind the last of them."""

from collections.abc import Iterator

from mev_dagster.search.landed import Landed
from mev_dagster.search.plan import Plan
from mev_dagster.search.strategies.backrun import Backrun
from mev_dagster.search.view import BlockView


class CrowdBackrun(Backrun):
    """Close the gap behind several pending transactions, where that pays more than behind any one of them."""

    name = "crowd_backrun/1"

    def plans(self, view: BlockView) -> Iterator[Plan]:
        """Yield the best cycles behind every crowd that pay more than behind one of its calls alone."""
        alone: dict[tuple[bytes, frozenset[bytes]], int] = {}
        if not view.crowds:
            return
        in_crowds = {tx.hash for run in view.crowds for tx in (*run.prerequisites, run.tx)}
        for plan in self.behind(view, [run for run in view.runs if run.tx.hash in in_crowds]):
            key = (plan.pending[-1].hash, frozenset(plan.venues))
            alone[key] = max(alone.get(key, 0), plan.expected_profit_wei)
        for plan in self.behind(view, view.crowds):
            venues = frozenset(plan.venues)
            if plan.expected_profit_wei > max(alone.get((tx.hash, venues), 0) for tx in plan.pending):
                yield plan

    def matches(self, plan: Plan, landed: Landed) -> bool:
        """Say whether somebody stood behind one of them and crossed one of the same pools."""
        own = {tx.hash for tx in plan.pending}
        return (
            landed.kind == self.kind
            and bool(landed.victims)
            and landed.victims <= own
            and bool(set(plan.venues) & landed.pools)
        )
