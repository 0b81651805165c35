"""What counts as found, missed and untaken, on the shipped capture and on mainnet blocks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mev_dagster.backtest.opportunity import Found, Landed, opportunities_of
from mev_dagster.backtest.rows import backtest_columns
from mev_dagster.blockrun.over_capture import backtest_capture
from mev_dagster.captures.format import open_capture
from mev_dagster.captures.importers import import_blocks_prestate
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.recheck import Recheck
from mev_dagster.labels.score import Agreement
from mev_dagster.search.inputs import capture_inputs
from mev_dagster.search.run import search_block
from mev_dagster.store.tables import TABLES

SHIPPED = Path(__file__).resolve().parents[2] / "mev_dagster" / "demo" / "capture"


@pytest.fixture(scope="module")
def shipped():
    with open_capture(SHIPPED) as capture:
        yield backtest_capture(capture, get_engine(), Recheck(0.0))


@pytest.fixture(scope="module")
def candidates():
    with open_capture(SHIPPED) as capture:
        (inputs,) = capture_inputs(capture, capture.numbers[-1])
        return search_block(inputs, get_engine()).candidates


def test_everything_the_rival_landed_had_been_found(shipped):
    assert {kind: score.fn for kind, score in shipped.per_kind.items()} == dict.fromkeys(
        ("arbitrage", "backrun", "sandwich"), 0
    )
    assert all(score.tp for score in shipped.per_kind.values())
    assert not shipped.synthetic


def test_what_was_found_of_a_landed_opportunity_is_never_worth_more_than_it(shipped):
    assert 0 < shipped.captured_wei <= shipped.landed_wei


def test_a_block_scores_its_kinds_apart(shipped):
    summed = sum((block.of("sandwich") for block in shipped.blocks), start=Agreement())
    assert summed == shipped.per_kind["sandwich"]


def test_ways_to_close_one_gap_are_one_opportunity(candidates):
    cycles = [candidate for candidate in candidates if candidate.kind != "sandwich"]
    found = opportunities_of(cycles)
    assert sum(len(one.ways) for one in found) == len(cycles)
    for position, one in enumerate(found):
        for better in found[:position]:
            assert not set(one.best.plan.venues) & set(better.best.plan.venues)


def landed(candidate, **changes):
    fields = {
        "kind": candidate.kind,
        "victims": frozenset(candidate.pending_hashes[-1:]),
        "pools": frozenset(candidate.plan.venues),
        "tx_hashes": (b"\x01" * 32,),
        "worth_wei": 1,
    }
    return Landed(**{**fields, **changes})


def way_that_landed(found, one):
    return next(found.ways_that_landed(one), None)


def test_a_backrun_lands_behind_the_same_transaction_through_a_common_pair(candidates):
    backrun = next(candidate for candidate in candidates if candidate.kind == "backrun")
    found = Found((backrun,))
    assert way_that_landed(found, landed(backrun)) is backrun
    assert way_that_landed(found, landed(backrun, victims=frozenset({b"\x02" * 32}))) is None
    assert way_that_landed(found, landed(backrun, pools=frozenset({b"\x02" * 20}))) is None
    assert way_that_landed(found, landed(backrun, kind="arbitrage")) is None


def test_a_cycle_that_paid_before_anybody_moved_it_answers_for_what_is_labelled_a_backrun(candidates):
    arbitrage = next(candidate for candidate in candidates if candidate.kind == "arbitrage")
    found = Found((arbitrage,))
    behind = landed(arbitrage, kind="backrun", victims=frozenset({b"\x02" * 32}))
    assert way_that_landed(found, behind) is arbitrage


def test_an_arbitrage_is_the_same_through_the_same_pools(candidates):
    arbitrage = next(candidate for candidate in candidates if candidate.kind == "arbitrage")
    found = Found((arbitrage,))
    venues = frozenset(arbitrage.plan.venues)
    assert way_that_landed(found, landed(arbitrage)) is arbitrage
    assert way_that_landed(found, landed(arbitrage, pools=venues - {min(venues)})) is None
    assert way_that_landed(found, landed(arbitrage, pools=venues | {b"\x02" * 20})) is None


def test_a_sandwich_is_the_same_around_the_same_transactions(shipped):
    every = (candidate for block in shipped.blocks for candidate in block.candidates)
    sandwich = next(candidate for candidate in every if candidate.kind == "sandwich")
    found, victim = Found((sandwich,)), sandwich.pending_hashes[-1]
    assert way_that_landed(found, landed(sandwich, victims=frozenset({victim}))) is sandwich
    assert way_that_landed(found, landed(sandwich, victims=frozenset({victim, b"\x02" * 32}))) is None


def test_a_missed_opportunity_says_what_kept_it_from_being_verified(fixtures, tmp_path):
    import_blocks_prestate([fixtures / "blocks_prestate" / "11743952.json.zst"], tmp_path / "capture")
    with open_capture(tmp_path / "capture") as capture:
        result = backtest_capture(capture, get_engine(), Recheck(0.0))
    assert [match.missed for match in result.blocks[0].matches] == ["", "below_gas", "missing_state"]
    assert result.per_kind["sandwich"] == Agreement(tp=1, fp=0, fn=2)
    assert result.synthetic


def test_the_columns_are_those_of_the_table(shipped):
    columns = backtest_columns(shipped, source="demo", first_block_time_ns=1)
    table = TABLES["backtests"]
    assert set(columns) == set(table.names) - {table.version_column, "computed_at"}
    assert {len(table[name].type.encode(values, name)) for name, values in columns.items()} == {4}


def test_the_command_prints_the_keys_others_rely_on(shipped):
    done = subprocess.run(
        [sys.executable, "-m", "mev_dagster", "backtest", str(SHIPPED), "--json"],
        capture_output=True,
        check=True,
    )
    document = json.loads(done.stdout)
    assert set(document["per_kind"]) == {"arbitrage", "backrun", "sandwich"}
    assert set(document["per_kind"]["sandwich"]) == {"tp", "fp", "fn", "precision", "recall"}
    assert document["pnl_wei"] == shipped.pnl_wei
    assert document["report"]
