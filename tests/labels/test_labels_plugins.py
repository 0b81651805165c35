"""An inspector of another package sees the same blocks; one that fails costs only its own labels."""

from dataclasses import replace
from functools import partial

import pytest
from label_blocks import BOT, EVE, OTHER_POOL, POOL, USD, WETH, block, swap, tx

from mev_dagster.labels import label
from mev_dagster.labels.inspector import Inspector
from mev_dagster.labels.inspectors import accepted
from mev_dagster.labels.label import label_block
from mev_dagster.labels.report import labels_to_json
from mev_dagster.labels.rows import mev_label_columns
from mev_dagster.labels.value import Confidence, Costs, Label
from mev_dagster.plugins import bounded, given, load

CYCLE = block(tx([*swap(POOL, WETH, 100, USD, 50), *swap(OTHER_POOL, USD, 50, WETH, 130)], key=EVE, to=BOT))


class Visits(Inspector):
    """Labels every transaction that calls the bot."""

    kind = "visit"
    plural = "visits"

    def find(self, view):
        for landed in view.block.txs:
            if landed.tx.to == BOT:
                yield self.label(landed.tx.hash)

    def label(self, tx_hash):
        return Label(self.kind, (BOT,), (tx_hash,), (), (), Costs(), None, Confidence.LOW, "it was called")


class Yielding(Visits):
    yields_to = ("arbitrage",)


class Circular(Visits):
    yields_to = ("visit",)


class TakesOurs(Visits):
    plural = "arbitrages"


class Raising(Visits):
    def find(self, view):
        raise RuntimeError("no such luck")


class Nameless(Visits):
    plural = None


class KindOfKinds(Visits):
    kind = b"visit"


class Endless(Visits):
    def find(self, view):
        while True:
            if view is None:
                yield


class Says(Visits):
    """Changes one field of a good label."""

    def __init__(self, **changed):
        self.changed = changed

    def label(self, tx_hash):
        return replace(super().label(tx_hash), **self.changed)


class Foreign(Visits):
    def find(self, view):
        yield self.label(b"\xee" * 32)


def labelled(hook):
    accepted.cache_clear()
    return label_block(CYCLE, (*load("inspectors"), given("inspectors", "visits", hook)))


def test_a_kind_of_another_package_is_labelled_told_and_stored():
    labels = labelled(Visits())
    (told,) = labels_to_json(labels)["visits"]
    assert (told["accounts"], told["why"]) == ([BOT], "it was called")
    assert mev_label_columns(labels)["kind"] == ["visit", "arbitrage"]


def test_it_yields_to_the_kinds_it_names():
    assert [label.kind for label in labelled(Yielding()).labels] == ["arbitrage"]


@pytest.mark.parametrize("hook", [Circular(), TakesOurs(), Nameless(), KindOfKinds(), object()])
def test_one_that_cannot_be_used_is_left_out(hook):
    labels = labelled(hook)
    assert "visits" not in labels.counts()
    assert [label.kind for label in labels.labels] == ["arbitrage"]


@pytest.mark.parametrize(
    ("hook", "detail"), [(Raising(), "no such luck"), (Foreign(), "a transaction of another block")]
)
def test_one_that_fails_in_a_block_is_named_and_the_others_stand(hook, detail):
    labels = labelled(hook)
    assert [label.kind for label in labels.labels] == ["arbitrage"]
    (failure,) = labels.left_out
    assert (failure.name, failure.reason) == ("visits", "raised")
    assert detail in str(failure)


def test_one_that_never_ends_is_stopped_and_the_others_stand(monkeypatch):
    monkeypatch.setattr(label, "bounded", partial(bounded, seconds=0.2))
    labels = labelled(Endless())
    assert [found.kind for found in labels.labels] == ["arbitrage"]
    assert [(failure.name, failure.reason) for failure in labels.left_out] == [("visits", "timed_out")]


@pytest.mark.parametrize(
    "changed",
    [
        {"accounts": ("0xbot",)},
        {"venues": (b"short",)},
        {"profit": ((WETH, 1.5),)},
        {"costs": None},
        {"net_wei": "7"},
        {"net_wei": 1 << 256},
        {"confidence": "certain"},
        {"why": None},
        {"victims": (None,)},
        {"behind": b"short"},
        {"detail": None},
    ],
)
def test_a_label_out_of_shape_costs_its_inspector_alone(changed):
    labels = labelled(Says(**changed))
    assert [found.kind for found in labels.labels] == ["arbitrage"]
    assert [(failure.name, failure.reason) for failure in labels.left_out] == [("visits", "raised")]
