"""A strategy or a venue that fails in a block is left out of it; the others' findings stand."""

import itertools
from dataclasses import replace

import pytest
from search_market import Devnet, ether_for

from mev_dagster import plugins
from mev_dagster.search.plan import OwnCall, Plan
from mev_dagster.search.report import block_to_json
from mev_dagster.search.strategies.sandwich import Sandwich


@pytest.fixture(scope="module")
def devnet() -> Devnet:
    return Devnet()


class Raising:
    kind, name = "raising", "raising/1"

    def plans(self, view):
        yield from ()
        raise RuntimeError("two\nlines")

    def matches(self, plan, landed):
        raise RuntimeError


class Endless(Raising):
    kind, name = "endless", "endless/1"

    def plans(self, view):
        while True:
            if view is None:
                yield


class Flood(Raising):
    kind, name = "flood", "flood/1"

    def plans(self, view):
        yield from itertools.repeat(None)


class Says(Raising):
    kind, name = "says", "says/1"
    said: object = None

    def plans(self, view):
        yield self.said


CALL = OwnCall(b"\x01" * 20, b"", 30_000)
PLAN = Plan("says", "says/1", (CALL,), (), (), 0, 1)


@pytest.mark.parametrize(
    "said",
    [
        None,
        replace(PLAN, kind="sandwich"),
        replace(PLAN, strategy="sandwich/1"),
        replace(PLAN, items=()),
        replace(PLAN, items=(7,)),
        replace(PLAN, items=(replace(CALL, gas_limit=-1),)),
        replace(PLAN, items=(replace(CALL, to="0x01"),)),
        replace(PLAN, items=(replace(CALL, value_wei=1.5),)),
        replace(PLAN, expected_profit_wei=1e18),
        replace(PLAN, venues=(b"short",)),
    ],
)
def test_a_plan_out_of_shape_costs_its_strategy_alone(devnet, said):
    strategy = Says()
    strategy.said = said
    result = devnet.search([], strategies=[strategy])
    assert [(failure.name, failure.reason) for failure in result.left_out] == [("says/1", "raised")]


def test_a_plan_in_shape_is_executed(devnet):
    strategy = Says()
    strategy.said = replace(PLAN, expected_profit_wei=10**18)
    (found,) = devnet.search([], strategies=[strategy]).candidates
    assert (found.plan.kind, found.verified) == ("says", False)


@pytest.mark.parametrize(
    ("broken", "reason"), [(Raising, "raised"), (Endless, "timed_out"), (Flood, "raised")]
)
def test_a_strategy_that_fails_is_left_out_named_and_counted(devnet, monkeypatch, broken, reason):
    counted, bounded = plugins.FailureCounter(), plugins.bounded

    def impatient(plugin, call):
        return bounded(plugin, call, seconds=0.2 if plugin.name == "endless/1" else 60)

    monkeypatch.setattr(plugins, "FAILURES", counted)
    monkeypatch.setattr(plugins, "bounded", impatient)
    tx = devnet.swap(devnet.cast.whales[0], ether_for("ALPHA", "north", devnet.book, 20, 100))
    result = devnet.search([tx], strategies=[Sandwich(), broken()])
    alone = devnet.search([tx], strategies=[Sandwich()])
    assert result.candidates == alone.candidates != ()
    assert [(failure.name, failure.reason) for failure in result.left_out] == [(broken.name, reason)]
    assert counted.count("strategies", reason) == 1
    (said,) = block_to_json(result)["left_out"]
    assert broken.name in said
    assert "\n" not in said
