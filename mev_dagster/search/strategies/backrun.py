"""Restore the price that a pending swap moved, in the same block, right behind it."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from mev_dagster.dex.cycle import Cycle
from mev_dagster.dex.screen import Floats, Indices
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
        return self.behind(view, view.runs)

    def behind(self, view: BlockView, tried: Sequence[PendingRun]) -> Iterator[Plan]:
        """Yield the best cycles behind each of these that moved a pool."""
        runs = [run for run in tried if run.succeeded and run.moved]
        for run, cycles in zip(runs, _worth_sizing(view, runs), strict=True):
            place = Place((*run.prerequisites, run.tx), run.after)
            plans = (cycle_plan(view, cycle, place, self.kind, self.name) for cycle in cycles.behind)
            found = [
                plan
                for plan, cycle, is_sure in zip(plans, cycles.behind, cycles.sure, strict=True)
                if plan is not None and (is_sure or plan.expected_profit_wei > _at_the_top(view, cycle))
            ]
            found.sort(key=lambda plan: (-plan.expected_profit_wei, plan.venues))
            yield from islice(found, CYCLES_PER_TX)

    def matches(self, plan: Plan, landed: Landed) -> bool:
        """Say whether somebody stood behind the same transaction and crossed one of the same pools."""
        victims = {tx.hash for tx in plan.pending[-1:]}
        return (
            landed.kind == self.kind and victims == landed.victims and bool(set(plan.venues) & landed.pools)
        )


class _Behind(NamedTuple):
    """Cycles behind a transaction that may be among its best, and which surely gain by it."""

    behind: list[Cycle]
    sure: list[bool]


def _worth_sizing(view: BlockView, runs: Sequence[PendingRun]) -> list[_Behind]:
    """Return for every run the cycles that may gain by it and be among its best, by their bounds alone."""
    book = view.graph.cycles(view.wrapped_ether)
    screen = view.graph.screen(view.wrapped_ether, view.inventory_wei)
    crossed = [book.through(run.moved) for run in runs]
    cycles = np.array([position for own in crossed for position in own], dtype=np.int64)
    places = np.repeat(np.arange(len(runs)), [len(own) for own in crossed])
    top = screen.at_the_top()
    lower, upper = screen.behind(cycles, places, [run.after for run in runs])
    is_sure = lower > np.maximum(top.upper[cycles], 0)
    least_of_the_best = _nth_largest(np.where(is_sure, lower, -np.inf), places, len(runs), CYCLES_PER_TX)
    may_gain = upper > np.maximum(top.lower[cycles], 0)
    kept = np.flatnonzero(may_gain & (upper >= least_of_the_best[places]))
    found = [_Behind([], []) for _ in runs]
    for row in kept:
        own = found[places[row]]
        own.behind.append(book.all[cycles[row]])
        own.sure.append(bool(is_sure[row]))
    return found


def _nth_largest(values: Floats, groups: Indices, count: int, nth: int) -> Floats:
    """Return the nth largest value of each group, minus infinity where a group has fewer."""
    order = np.lexsort((-values, groups))
    starts = np.searchsorted(groups[order], np.arange(count))
    ends = np.searchsorted(groups[order], np.arange(count), side="right")
    at = starts + nth - 1
    found = np.full(count, -np.inf)
    has_it = at < ends
    found[has_it] = values[order][at[has_it]]
    return found


def _at_the_top(view: BlockView, cycle: Cycle) -> int:
    """Return what the cycle pays without the transaction: a gap that was there before is not its doing."""
    size = cycle_size(view, cycle, AT_THE_TOP)
    return size.profit if size is not None else 0
