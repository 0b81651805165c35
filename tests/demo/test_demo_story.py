"""`mev demo`: every step holds on the shipped capture, and says the same things every time."""

import json
import pickle
import subprocess
import sys

import pytest
from rich.console import Console

from mev_dagster.commands.output import jsonable
from mev_dagster.demo import SHIPPED_CAPTURE as CAPTURE
from mev_dagster.demo.script import SCRIPT, Move
from mev_dagster.demo.story import STEPS, play
from mev_dagster.demo.telling import tell_end, tell_step
from mev_dagster.errors import CaptureError

SANDWICHES = sum(act.rival is Move.SANDWICH for act in SCRIPT)


TELL = """
import pathlib, pickle, sys
from mev_dagster.demo.story import play
sys.stdout.buffer.write(pickle.dumps(list(play(*map(pathlib.Path, sys.argv[1:])))))
"""


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """Tell it in a process of its own: this one may hold another chDB, and a process can hold only one."""
    command = [sys.executable, "-c", TELL, str(CAPTURE), str(tmp_path_factory.mktemp("home"))]
    return pickle.loads(subprocess.run(command, check=True, capture_output=True, timeout=280).stdout)


@pytest.fixture(scope="module")
def figures(story):
    return {step.name: step.figures for step in story}


def mev_demo(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "mev_dagster", "demo", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=280)


def test_every_step_holds(story):
    assert [step.name for step in story] == [name for name, _ in STEPS]
    assert all(step.ok for step in story), [step.figures for step in story if not step.ok]


def test_another_process_prints_the_same_document_apart_from_seconds(story):
    done = mev_demo("--verify", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["ok"] is True
    assert all(step.pop("seconds") >= 0 for step in document["steps"])
    here = [{"name": step.name, "ok": step.ok, "figures": jsonable(step.figures)} for step in story]
    assert json.dumps(document["steps"], sort_keys=True) == json.dumps(here, sort_keys=True)


def test_a_peer_delivers_the_whole_mempool_and_the_captures_lane_sees_the_same(figures):
    peers, seen = figures["peers"], figures["ingest"]["seen"]
    assert peers["fetched"] == peers["announced"] == seen
    assert peers["seen_by_lane"] == {"capture": seen, "p2p": seen}
    assert peers["bodies"] == peers["bodies_stored"] == figures["ingest"]["rows"]["transactions"]


def test_what_is_executed_again_gives_the_headers_own_roots(figures):
    parity = figures["parity"]
    assert parity["receipts_root_matches"] == parity["state_root_matches"] == parity["blocks"] == len(SCRIPT)
    assert {parity[name] for name in parity if name.endswith("mismatches")} == {0}


def test_the_relay_takes_every_block_and_no_forgery(figures):
    built = figures["build"]
    assert built["accepted"] == built["blocks"] == len(SCRIPT)
    assert {"signature", "execution", "state_root", "payment"} <= set(built["answer"]["checks"])
    assert built["forged_bid"] == {"accepted": False, "status": 400, "message": "invalid signature"}


def test_labels_find_what_the_script_made_land_and_the_search_had_found_it(figures):
    assert figures["label"]["sandwiches"] == figures["label"]["victims"] == SANDWICHES
    assert figures["label"]["takers"] == 2
    kinds = figures["backtest"]["per_kind"]
    assert kinds["sandwich"]["tp"] == SANDWICHES
    assert all(score["fn"] == 0 for score in kinds.values())


def test_one_id_leads_from_the_mempool_to_the_relay(figures):
    trace = figures["trace"]
    assert all(trace["rows"].values())
    assert trace["seen_before_block_ms"] > 0
    assert trace["spans"][0] == "builder slot"
    assert trace["spans"][-1] == "sandbox-relay relay.validate"
    assert trace["opportunity_id"] in figures["build"]["best"]["opportunity_ids"]


def test_the_telling_leaves_no_step_out(story):
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    for step in story:
        tell_step(console, step)
    tell_end(console, story, CAPTURE)
    text = console.export_text()
    assert text.count("✔") == len(STEPS)
    assert f"All {len(STEPS)} steps hold" in text


def test_the_story_ends_where_a_step_does_not_hold(tmp_path):
    for file in CAPTURE.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    damaged = bytearray((tmp_path / "receipts.zst").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "receipts.zst").write_bytes(damaged)
    steps = list(play(tmp_path, tmp_path / "home"))
    assert [(step.name, step.ok) for step in steps] == [("capture", False)]
    assert "receipts.zst" in str(steps[0].figures["errors"])


def test_a_truncated_capture_is_named_in_one_line(tmp_path):
    for file in CAPTURE.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[:-10])
    with pytest.raises(CaptureError):
        list(play(tmp_path, tmp_path / "home"))
    done = mev_demo("--capture", str(tmp_path), "--json")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("mev: bad_capture: ")
    assert done.stderr.count("\n") == 1


def test_a_home_that_is_in_use_is_refused(tmp_path):
    (tmp_path / "something").write_text("of somebody's")
    done = mev_demo("--home", str(tmp_path))
    assert done.returncode == 2
    assert "new or empty" in done.stderr
