"""The open gold set: its flows prove its cases by themselves, and our labels say the same of the blocks."""

import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from mev_dagster.hexadecimal import to_hex
from mev_dagster.labels.label import label_block
from mev_dagster.labels.sources import block_of_file

CASES = json.loads((Path(__file__).parents[2] / "docs" / "gold" / "cases.json").read_text())["cases"]
ARBITRAGES = [case for case in CASES if case["kind"] == "arbitrage"]
SANDWICHES = [case for case in CASES if case["kind"] == "sandwich" and case["whole"]]
WRAPPED_ETHER = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
LEFTOVER_PARTS = 10_000


def by_id(cases):
    return pytest.mark.parametrize("case", cases, ids=[case["id"] for case in cases])


def held(case, accounts):
    """What some accounts hold more of each token behind all of the case's transactions."""
    total = Counter()
    for flow in case["flows"]:
        if flow["account"] in accounts:
            total[flow["token"]] += int(flow["amount"])
    return total


def told(case):
    return {one["token"]: int(one["amount"]) for one in case["profit"]}


def without_leftovers(case, total):
    traded = Counter()
    for flow in case["flows"]:
        traded[flow["token"]] += abs(int(flow["amount"]))
    return {
        token: amount
        for token, amount in total.items()
        if amount and (token == WRAPPED_ETHER or abs(amount) * LEFTOVER_PARTS > traded[token])
    }


def test_there_are_sixty_cases_and_more_each_with_its_argument():
    assert len({case["id"] for case in CASES}) == len(CASES) >= 60
    assert all(case["argument"].endswith(".") and case["tx_hashes"] for case in CASES)


@by_id(ARBITRAGES)
def test_in_a_circle_every_token_adds_up_to_nothing_and_every_trader_took_and_gave(case):
    everybody = {flow["account"] for flow in case["flows"]}
    assert not any(held(case, everybody).values())
    for trader in case["traders"]:
        changes = held(case, {trader}).values()
        assert min(changes) < 0 < max(changes)


@by_id(ARBITRAGES)
def test_what_is_left_of_a_circle_is_the_actors_and_nothing_was_lost(case):
    assert without_leftovers(case, held(case, set(case["actor"]))) == told(case)
    assert min(told(case).values()) > 0


@by_id(SANDWICHES)
def test_a_whole_sandwich_left_its_accounts_with_what_is_told(case):
    found = held(case, set(case["actor"]))
    assert {token: found[token] for token in told(case)} == told(case)
    assert case["victims"]


@pytest.fixture(scope="module")
def labelled(fixtures):
    found = defaultdict(dict)
    for fixture in sorted({case["fixture"] for case in CASES}):
        labels = label_block(block_of_file(fixtures / fixture))
        for label in labels.labels:
            found[labels.block.number].setdefault(to_hex(label.tx_hashes[0]), []).append(label)
    return found


def test_our_labels_say_the_same_of_every_case(labelled):
    wrong = []
    for case in CASES:
        own = labelled[case["block"]].get(case["tx_hashes"][0], [])
        kind = case["kind"].removeprefix("no_")
        same = [
            label
            for label in own
            if label.kind == kind and {to_hex(token): amount for token, amount in label.profit} == told(case)
        ]
        if bool(same) == case["kind"].startswith("no_"):
            wrong.append(case["id"])
    assert wrong == []
