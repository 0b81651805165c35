"""Order, identity and digests."""

import random
from dataclasses import replace

import pytest
from search_market import Devnet, ether_for

from mev_dagster.search.identity import opportunity_id
from mev_dagster.search.rank import rank_digest, ranked
from mev_dagster.search.searcher import GasPrice
from mev_dagster.search.verify import Verification


@pytest.fixture(scope="module")
def devnet() -> Devnet:
    return Devnet()


@pytest.fixture(scope="module")
def result(devnet):
    return devnet.search(
        [
            devnet.swap(devnet.cast.whales[0], ether_for("ALPHA", "north", devnet.book, 20, 100)),
            devnet.swap(devnet.cast.whales[1], ether_for("BETA", "south", devnet.book, 9, 100)),
        ]
    )


def test_the_order_does_not_depend_on_the_order_of_arrival(result):
    shuffled = list(result.candidates)
    random.Random(1).shuffle(shuffled)
    assert ranked(shuffled) == result.candidates
    assert rank_digest(ranked(shuffled)) == result.rank_digest


def test_verified_candidates_come_first_by_profit_after_gas(result):
    profits = [candidate.simulated_profit_wei for candidate in result.candidates]
    assert profits == sorted(profits, reverse=True)
    best = result.candidates[0]
    refuted = replace(best, verification=replace(best.verification, profit_wei=None, reason="missing_state"))
    assert ranked([refuted, *result.candidates[1:]])[-1].opportunity_id == best.opportunity_id


def test_equal_profits_are_ordered_by_id(result):
    first, second = result.candidates[:2]
    tied = [
        replace(c, verification=replace(c.verification, profit_wei=5), opportunity_id=identity)
        for c, identity in ((first, b"\x02" * 32), (second, b"\x01" * 32))
    ]
    assert [c.opportunity_id[0] for c in ranked(tied)] == [1, 2]


def test_any_difference_in_a_candidate_changes_the_digest(result):
    best, *rest = result.candidates
    check: Verification = best.verification
    changed = replace(best, verification=replace(check, profit_wei=check.profit_wei + 1))
    assert rank_digest([changed, *rest]) != result.rank_digest
    assert rank_digest(rest) != result.rank_digest


def test_the_id_names_the_decision_and_not_its_signatures(devnet, result):
    best = result.candidates[0]
    assert best.opportunity_id == opportunity_id(best.plan, result.env)
    again = devnet.searcher.sign(best.plan, result.env, GasPrice(50 * 10**9, 0))
    assert again != best.txs
    on_another_parent = replace(result.env, parent_hash=b"\x22" * 32)
    assert opportunity_id(best.plan, on_another_parent) != best.opportunity_id


def test_ids_differ_between_candidates(result):
    assert len({candidate.opportunity_id for candidate in result.candidates}) == len(result.candidates)
