"""A plan comes back from the store as it was: its calls, its prize, and the pending transactions it names."""

from dataclasses import replace

import pytest

from mev_dagster.captures.format import open_capture
from mev_dagster.demo import SHIPPED_CAPTURE
from mev_dagster.evm.engines import get_engine
from mev_dagster.search.inputs import capture_inputs
from mev_dagster.search.plan import OwnCall, Plan
from mev_dagster.search.plan_record import of_record, to_record
from mev_dagster.search.run import search_block


@pytest.fixture(scope="module")
def searched():
    with open_capture(SHIPPED_CAPTURE) as capture:
        (inputs,) = capture_inputs(capture, capture.numbers[13])
        pending = {entry.tx.hash: entry.tx for entry in inputs.pending}
        return [one.plan for one in search_block(inputs, get_engine()).candidates], pending


def read_back(plan: Plan, pending) -> Plan:
    items, prize, moves = of_record(to_record(plan), pending)
    return replace(plan, items=items, prize=prize, moves=moves)


def test_every_plan_of_a_block_comes_back_whole(searched):
    plans, pending = searched
    assert {plan.kind for plan in plans} == {"arbitrage", "backrun", "sandwich"}
    assert [read_back(plan, pending) for plan in plans] == plans


def test_a_call_of_any_kind_comes_back_with_amounts_past_64_bits():
    call = OwnCall(b"\x01" * 20, b"\xfe" * 40, 1 << 40, value_wei=1 << 200, least_gas=30_000)
    plan = Plan("kind", "kind/1", (call,), (), (), 0, 0, prize=(b"", b"\x07"))
    assert read_back(plan, {}) == plan


def test_a_plan_on_a_transaction_that_was_not_pending_is_refused(searched):
    plans, _ = searched
    [sandwich, *_] = [plan for plan in plans if plan.pending]
    with pytest.raises(KeyError):
        of_record(to_record(sandwich), {})
