"""The list of decided disagreements: its shape, and the page that says it in words."""

import json
from importlib.resources import files
from pathlib import Path

import pytest

from mev_dagster.errors import InputError
from mev_dagster.labels.decided import DECIDED, DecidedReason, decisions_of

PAGE = Path(__file__).parents[2] / "docs" / "decisions" / "0030-where-another-inspector-disagrees.md"
ONE = {"block": 1, "kind": "swaps", "side": "silver", "key": ["0x1"], "reason": "undone"}
REASONS = {"undone": {"right": "ours", "why": "it was undone"}}


def read(*entries, reasons=REASONS):
    return decisions_of(json.dumps({"reasons": reasons, "disagreements": entries}))


def test_a_disagreement_has_the_side_that_holds_and_why():
    decisions = read(ONE)
    assert decisions.why((1, "swaps", "silver", ("0x1",))) == DecidedReason("ours", "it was undone")
    assert decisions.why((1, "swaps", "ours", ("0x1",))) is None


def test_only_what_we_have_and_are_right_about_is_ours_alone():
    both = {**REASONS, "wrong": {"right": "silver", "why": "we count it twice"}}
    ours = [
        {**ONE, "side": "ours", "key": [key], "reason": why}
        for key, why in (("0x2", "undone"), ("0x3", "wrong"))
    ]
    assert read(ONE, *ours, reasons=both).ours_alone(1) == {"swaps": 1}


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([{**ONE, "reason": "unheard"}], "a reason is named"),
        ([{**ONE, "side": "theirs"}], "a side is one of"),
        ([ONE, ONE], "twice"),
        ([{"block": 1}], "KeyError"),
    ],
)
def test_a_list_that_does_not_fit_is_refused(entries, said):
    with pytest.raises(InputError, match=said):
        read(*entries)


def test_the_page_says_every_one_of_them_and_no_other():
    told = {line for line in PAGE.read_text().splitlines() if line.startswith("- ")}
    assert told == {
        f"- {block}, only {side}, {kind}: `{' '.join(key)}`" for block, kind, side, key in DECIDED.about
    }


def test_the_page_says_every_reason_with_its_count():
    page = PAGE.read_text()
    names = list(DECIDED.about.values())
    for name, reason in DECIDED.reasons.items():
        assert f"| `{name}` | {reason.right} | {names.count(name)} | {reason.why} |" in page


def test_the_list_is_shipped_with_the_package():
    assert files("mev_dagster.labels").joinpath("decided.json").is_file()
