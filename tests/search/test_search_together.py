"""What a block's total promises can be had: the chosen candidates executed one behind the other."""

from dataclasses import replace
from pathlib import Path

import pytest

from mev_dagster.captures.format import open_capture
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.types import TxStatus
from mev_dagster.search.inputs import capture_inputs
from mev_dagster.search.run import MOST_UNEXECUTED, _worthwhile, prepare, propose
from mev_dagster.search.verify import gained_wei

SHIPPED = Path(__file__).resolve().parents[2] / "mev_dagster" / "demo" / "capture"


def searched(number):
    with open_capture(SHIPPED) as capture:
        (inputs,) = capture_inputs(capture, number)
        prepared = prepare(inputs, get_engine())
        return prepared, propose(prepared)


@pytest.mark.parametrize("number", [22, 33, 35])
def test_the_total_of_a_block_is_earned_when_its_candidates_are_executed_in_a_row(number):
    prepared, result = searched(number)
    assert result.together
    searcher, view = result.searcher, prepared.view
    txs = []
    for candidate in result.together:
        txs += searcher.sign(candidate.plan, view.env, view.bid)
        searcher = replace(searcher, nonce=searcher.nonce + len(candidate.plan.own_calls))
    ran = prepared.session.run(txs)
    assert all(one.status is TxStatus.SUCCESS for one in ran.txs)
    assert sum(gained_wei(one, searcher) for one in ran.txs) >= result.total_profit_wei


def test_rivals_together_are_worth_less_than_their_sum():
    _, result = searched(35)
    verified = [one.simulated_profit_wei for one in result.candidates if one.verified]
    assert max(verified) <= result.total_profit_wei <= sum(verified)
    assert len(result.together) < len(verified)


def test_plans_beyond_what_is_kept_are_counted_and_not_signed():
    prepared, result = searched(35)
    plan = max(result.candidates, key=lambda one: one.expected_profit_wei).plan
    many = {number.to_bytes(32, "big"): plan for number in range(MOST_UNEXECUTED + 7)}
    poor = replace(plan, expected_profit_wei=1)
    best_first, dropped = _worthwhile({**many, b"\xff" * 32: poor}, prepared.view, MOST_UNEXECUTED)
    assert len(best_first) == MOST_UNEXECUTED
    reasons = [one.reason for one in dropped]
    assert {reason: reasons.count(reason) for reason in reasons} == {"below_gas": 1, "over_budget": 7}


def test_every_plan_that_was_not_executed_has_a_counted_reason():
    prepared, _ = searched(35)
    result = propose(prepared, budget=1)
    executed = sum(one.verification is not None for one in result.candidates)
    assert executed == 1
    assert executed + sum(result.pruned_by.values()) == result.proposed
