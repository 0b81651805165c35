"""What a backtest shows its search, and why it says something was missed."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from mev_dagster.backtest.against import against
from mev_dagster.backtest.explain import explain
from mev_dagster.backtest.missed import LATE, PRIVATE, why_missed
from mev_dagster.backtest.report import backtest_to_json
from mev_dagster.backtest.visible import visible_before
from mev_dagster.blockrun.over_capture import backtest_capture
from mev_dagster.captures.format import open_capture
from mev_dagster.captures.importers import import_blocks_prestate
from mev_dagster.commands.output import jsonable
from mev_dagster.errors import InputError
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.recheck import Recheck
from mev_dagster.search.inputs import capture_inputs
from mev_dagster.search.landed import Landed
from mev_dagster.search.run import search_block

SHIPPED = Path(__file__).resolve().parents[2] / "mev_dagster" / "demo" / "capture"


@pytest.fixture(scope="module")
def inputs():
    with open_capture(SHIPPED) as capture:
        (found,) = capture_inputs(capture, capture.numbers[-1])
        return found


@pytest.fixture(scope="module")
def shipped():
    with open_capture(SHIPPED) as capture:
        return backtest_capture(capture, get_engine(), Recheck(0.0), number=capture.numbers[-1])


def taken(*hashes):
    return SimpleNamespace(labels=(SimpleNamespace(tx_hashes=hashes),))


def test_what_a_taker_sent_is_hidden_where_nobody_saw_it(inputs):
    made_up = replace(inputs, pending=tuple(replace(one, synthetic=True) for one in inputs.pending))
    own = inputs.pending[0].tx.hash
    visible = visible_before(made_up, taken(own))
    assert [one.tx.hash for one in visible.pending] == [one.tx.hash for one in made_up.pending[1:]]


def test_what_a_taker_sent_stays_where_a_lane_saw_it(inputs):
    assert visible_before(inputs, taken(inputs.pending[0].tx.hash)) is inputs


@pytest.mark.parametrize(("seen_later", "reason"), [((), PRIVATE), ((b"\x09" * 32,), LATE)])
def test_a_victim_that_was_not_pending_is_private_or_late(inputs, seen_later, reason):
    result = search_block(inputs, get_engine(), budget=0)
    landed = Landed("sandwich", frozenset({b"\x09" * 32}), frozenset(), (b"\x01" * 32,), 1)
    assert why_missed(landed, None, result, seen_later).reason == reason


def test_a_kind_that_nothing_looks_for_is_missed_for_that(inputs):
    result = search_block(inputs, get_engine(), budget=0)
    landed = Landed("jit", frozenset(), frozenset(), (b"\x01" * 32,), 1)
    missed = why_missed(landed, None, result)
    assert (missed.reason, missed.feasible) == ("no_strategy", False)


def test_explain_finds_a_label_by_the_beginning_of_a_hash_of_its_own(shipped):
    match = shipped.matches[0]
    found = explain(shipped, match.landed.tx_hashes[0].hex()[:12])
    assert (found["found"], found["kind"]) == (match.found is not None, match.landed.kind)
    assert found["near"]


@pytest.mark.parametrize("label", ["0x", "0x12", "nonsense!", "ff" * 32])
def test_explain_refuses_what_names_no_label(shipped, label):
    with pytest.raises(InputError):
        explain(shipped, label)


def test_a_run_against_itself_has_changed_nothing(shipped):
    document = jsonable(backtest_to_json(shipped))
    found = against(document, json.loads(json.dumps(document)))
    assert (found["added"], found["removed"], found["changed"], found["labels"]) == ([], [], [], [])
    assert found["same"] == len(document["candidates"])


def test_a_run_against_another_names_what_changed(shipped):
    document = jsonable(backtest_to_json(shipped))
    before = json.loads(json.dumps(document))
    gone = before["candidates"].pop()
    before["candidates"][0]["expected_profit_wei"] -= 1
    before["report"][0]["landed"][0]["missed"] = "private"
    found = against(document, before)
    assert [one["opportunity_id"] for one in found["added"]] == [gone["opportunity_id"]]
    assert len(found["changed"]) == 1
    assert [one["before"] for one in found["labels"]] == ["private"]


@pytest.mark.parametrize("document", [[], {}, {"candidates": [1]}, {"candidates": [], "report": [{}]}])
def test_a_document_of_another_kind_is_bad_input(shipped, document):
    with pytest.raises(InputError):
        against(jsonable(backtest_to_json(shipped)), document)


def test_a_missed_label_of_a_mainnet_block_says_which_pool_is_not_read(fixtures, tmp_path):
    import_blocks_prestate([fixtures / "blocks_prestate" / "15537394.json.zst"], tmp_path / "capture")
    with open_capture(tmp_path / "capture") as capture:
        result = backtest_capture(capture, get_engine(), Recheck(0.0))
    (match,) = result.matches
    assert match.found is not None or (match.missed and match.detail)
    assert sum(result.missed_by.values()) + result.per_kind["backrun"].tp == 1


def test_no_share_of_worth_counts_rivals_twice(fixtures, tmp_path):
    import_blocks_prestate([fixtures / "blocks_prestate" / "12159808.json.zst"], tmp_path / "capture")
    with open_capture(tmp_path / "capture") as capture:
        result = backtest_capture(capture, get_engine(), Recheck(0.0))
    hits = [match for match in result.matches if match.found]
    assert all(match.way.expected_profit_wei >= match.landed.worth_wei for match in hits)
    assert result.captured_wei <= sum(match.landed.worth_wei for match in hits) <= result.landed_wei


def test_the_command_explains_and_compares(tmp_path, shipped):
    call = [sys.executable, "-m", "mev_dagster", "backtest", str(SHIPPED), "--json"]
    number = str(shipped.blocks[0].number)
    first = subprocess.run([*call, "--block", number], capture_output=True, check=True).stdout
    (tmp_path / "run.json").write_bytes(first)
    label = json.loads(first)["report"][0]["landed"][0]["tx_hashes"][0]
    second = subprocess.run(
        [*call, "--block", number, "--explain", label, "--against", str(tmp_path / "run.json")],
        capture_output=True,
        check=True,
    )
    document = json.loads(second.stdout)
    assert label in document["explained"]["tx_hashes"]
    assert document["against"]["changed"] == []
