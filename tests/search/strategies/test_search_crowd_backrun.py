"""Several pending calls that move one pool: executed one behind the other, and backrun together."""

from collections import Counter
from pathlib import Path

import pytest

from mev_dagster.captures.format import open_capture
from mev_dagster.evm.engines import get_engine
from mev_dagster.search.crowds import MOST_IN_A_CROWD, try_crowds
from mev_dagster.search.inputs import capture_inputs
from mev_dagster.search.run import prepare, search_block

SHIPPED = Path(__file__).resolve().parents[3] / "mev_dagster" / "demo" / "capture"
BLOCK = 33
"""In this block two pending calls move one pool, and behind both a cycle pays more than behind either."""


@pytest.fixture(scope="module")
def inputs():
    with open_capture(SHIPPED) as capture:
        (found,) = capture_inputs(capture, BLOCK)
        return found


@pytest.fixture(scope="module")
def prepared(inputs):
    return prepare(inputs, get_engine())


def test_a_crowd_moves_one_pool_and_whoever_tips_most_comes_first(prepared):
    runs = {run.tx.hash: run for run in prepared.runs}
    base_fee_wei = prepared.env.base_fee_per_gas_wei
    assert prepared.view.crowds
    for crowd in prepared.view.crowds:
        callers = [runs[tx.hash] for tx in (*crowd.prerequisites, crowd.tx) if tx.hash in runs]
        moved_by = Counter(pool for run in callers for pool in run.moved)
        assert max(moved_by.values()) >= 2
        assert crowd.moved <= set(moved_by)
        first, last = callers[0].tx, callers[-1].tx
        if not callers[-1].prerequisites:
            tips = [tx.effective_priority_fee_wei(base_fee_wei) for tx in (first, last)]
            assert tips == sorted(tips, reverse=True)


def test_what_pays_behind_a_crowd_pays_when_executed(inputs):
    found = search_block(inputs, get_engine()).candidates
    crowds = [candidate for candidate in found if candidate.plan.strategy == "crowd_backrun/1"]
    assert crowds
    for candidate in crowds:
        assert candidate.verified
        gas_wei = candidate.verification.coinbase_payment_wei
        assert candidate.simulated_profit_wei <= candidate.expected_profit_wei - gas_wei


def test_crowds_cost_no_more_executions_than_trying_each_call_out(prepared):
    executed = []

    class Counting:
        def run_each(self, txs):
            executed.extend(txs)
            return prepared.session.run_each(txs)

    try_crowds(prepared.runs, Counting(), prepared.view.graph, prepared.env)
    assert 0 < len(executed) <= len(prepared.runs)


def test_a_crowd_has_a_few_calls_at_most(prepared):
    callers = {run.tx.hash for run in prepared.runs}
    for crowd in prepared.view.crowds:
        own = [tx for tx in (*crowd.prerequisites, crowd.tx) if tx.hash in callers]
        assert 2 <= len(own) <= MOST_IN_A_CROWD + len(own) - len({tx.sender for tx in own})
