"""Look, propose, recheck: what a block's candidates are, without what the reference disproves."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from mev_dagster.evm.recheck import Recheck
from mev_dagster.evm.types import SimulationEngine
from mev_dagster.plugins import one_block
from mev_dagster.search.inputs import SearchInputs
from mev_dagster.search.recheck import RecheckedSearch
from mev_dagster.search.run import DEFAULT_BUDGET, SearchResult, prepare, propose
from mev_dagster.units import NS_PER_MS


@dataclass(frozen=True, slots=True)
class Decision:
    """A block decided. `candidates` still loses what the reference disproves when a block is built on it.

    `checked` and `mismatches` count the sample and the best candidates: they hang on the inputs alone.
    """

    candidates: RecheckedSearch
    checked: int
    mismatches: int
    recheck_ms: float

    @property
    def result(self) -> SearchResult:
        """The search's result with the candidates that hold."""
        return self.candidates.result


@one_block()
def decide(
    inputs: SearchInputs,
    engine: SimulationEngine,
    judge: Recheck,
    *,
    budget: int = DEFAULT_BUDGET,
    doubted: Collection[bytes] = (),
    on_step: Callable[[str], None] = lambda step: None,
) -> Decision:
    """Find, execute, rank and recheck one block's candidates; `on_step` is told what is being done."""
    prepared = prepare(inputs, engine, on_step=on_step)
    return recheck(propose(prepared, budget=budget, on_step=on_step), judge, doubted=doubted)


def recheck(found: SearchResult, judge: Recheck, *, doubted: Collection[bytes] = ()) -> Decision:
    """Run the sample, the best and the `doubted` candidates again on the reference.

    Doubted is what a run of the block has seen disproved before, as late as when it built. Judged again first
    and not taken on trust, it makes a step that runs alone start from what the whole run ended with.
    """
    started_ns = time.perf_counter_ns()
    candidates = RecheckedSearch(found, judge)
    candidates.check_sample()
    candidates.check_best()
    checked, mismatches = candidates.checked, len(candidates.mismatches)
    if doubted:
        candidates.hold(doubted)
        candidates.check_best()
    return Decision(candidates, checked, mismatches, (time.perf_counter_ns() - started_ns) / NS_PER_MS)
