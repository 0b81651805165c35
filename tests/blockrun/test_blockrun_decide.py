"""What is decided of a block loses what the reference disproves, whoever found it out and when."""

import pytest
from fault_injecting import FaultInjectingEngine

from mev_dagster.blockrun.decide import Decision, decide, recheck
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.recheck import Recheck
from mev_dagster.search.recheck import PARITY_MISMATCH
from mev_dagster.search.run import SearchResult, search_block


class OtherName(FaultInjectingEngine):
    """The reference under another name: it is judged, and holds."""

    name = "honest"

    def session(self, *arguments, **options):
        return get_engine().session(*arguments, **options)


def disproved(decision: Decision) -> set[bytes]:
    return {c.opportunity_id for c in decision.result.candidates if c.reason == PARITY_MISMATCH}


def bundles(result: SearchResult) -> list[bytes]:
    return [c.opportunity_id for c in result.candidates if c.verified and len(c.txs) > 1]


@pytest.fixture(scope="module")
def wrong(inputs) -> SearchResult:
    return search_block(inputs, FaultInjectingEngine())


def test_the_reference_is_not_judged_by_itself(inputs):
    decision = decide(inputs, get_engine(), Recheck(1.0), budget=8)
    assert (decision.checked, decision.mismatches, disproved(decision)) == (0, 0, set())
    assert decision.candidates.skipped


def test_the_best_candidate_is_run_again_until_one_holds(wrong):
    decision = recheck(wrong, Recheck(0.0))
    best = next(c for c in decision.result.candidates if c.verified)
    ahead = [c.opportunity_id for c in wrong.candidates if c.verified][: decision.mismatches]
    assert disproved(decision) >= set(ahead) > set()
    assert best.opportunity_id not in disproved(decision)


def test_a_doubted_candidate_is_judged_again_and_changes_nothing_that_was_counted_before(wrong):
    alone = recheck(wrong, Recheck(0.0))
    doubted = [one for one in bundles(wrong) if one not in disproved(alone)][-1]
    decision = recheck(wrong, Recheck(0.0), doubted=[doubted])
    assert doubted in disproved(decision) - disproved(alone)
    assert (decision.checked, decision.mismatches) == (alone.checked, alone.mismatches)


def test_a_doubted_candidate_that_holds_now_stays(inputs):
    found = search_block(inputs, OtherName(), budget=8)
    doubted = next(c.opportunity_id for c in reversed(found.candidates) if c.verified)
    decision = recheck(found, Recheck(0.0), doubted=[doubted])
    assert disproved(decision) == set()
    assert decision.result.rank_digest == found.rank_digest


def test_a_step_that_runs_alone_ends_where_the_whole_run_ended(wrong):
    """What building disproved is stored as doubted; deciding again with it gives the same ranking."""
    whole = recheck(wrong, Recheck(0.0))
    whole.candidates.hold(bundles(wrong)[:4])
    alone = recheck(wrong, Recheck(0.0), doubted=sorted(disproved(whole)))
    assert alone.result.rank_digest == whole.result.rank_digest
