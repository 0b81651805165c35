"""The p2p drills as a user runs them, short: real anvil, peers, daemon and store; nothing may be lost."""

import json
import sys
import time
from subprocess import DEVNULL, run

import psutil
import pytest

ANVIL = pytest.mark.anvil


def mev(*arguments: str) -> tuple[int, dict]:
    ended = run([sys.executable, "-m", "mev_dagster", *arguments, "--json"], capture_output=True, check=False)
    assert ended.stdout, ended.stderr.decode()[-2000:]
    return ended.returncode, json.loads(ended.stdout)


@ANVIL
@pytest.mark.timeout(300)
def test_a_short_soak_delivers_what_honest_peers_announced_and_compares_the_lanes(anvil_binary):
    status, report = mev("soak", "p2p", "--minutes", "0.2", "--churn", "60")
    assert (status, report["ok"], report["lost"], report["daemon_exit"]) == (0, True, 0, 0)
    assert report["delivered"] == report["announced"] > 50
    assert report["peers_only_delivered"] == report["peers_only"] > 0, "the node cannot have brought these"
    assert report["churned"] > 0
    lanes = {lane["lane"].partition("/")[0]: lane for lane in report["coverage"]["lanes"]}
    assert lanes.keys() == {"p2p", "rpc"}
    assert lanes["p2p"]["seen"] == report["announced"]
    assert lanes["p2p"]["exclusive"] >= report["peers_only"]
    assert lanes["rpc"]["exclusive"] > 0, "the node had some alone"
    assert report["rss"][-1]["announced"] == report["announced"]


@ANVIL
@pytest.mark.long
@pytest.mark.timeout(900)
def test_no_drill_loses_what_was_announced_or_acknowledged(anvil_binary):
    status, report = mev("chaos", "p2p", "--hold", "3")
    assert (status, report["ok"]) == (0, True)
    names = ["peers_killed", "peers_stalled", "garbage", "node_stalled", "store_killed", "daemon_killed"]
    assert [drill["name"] for drill in report["drills"]] == names
    assert all(drill["lost"] == 0 and drill["announced"] > 0 for drill in report["drills"])


@ANVIL
@pytest.mark.timeout(300)
def test_a_drill_that_is_told_to_end_leaves_no_process_behind(anvil_binary, tmp_path):
    command = [sys.executable, "-m", "mev_dagster", "soak", "p2p", "--minutes", "5", "--home", str(tmp_path)]
    soak = psutil.Popen(command, stdout=DEVNULL, stderr=DEVNULL)
    deadline = time.monotonic() + 120
    while len(started := soak.children(recursive=True)) < 3:
        assert time.monotonic() < deadline, "anvil, store and daemon"
        time.sleep(0.2)
    soak.terminate()
    soak.wait(120)
    _, left = psutil.wait_procs(started, timeout=10)
    assert left == []


@pytest.mark.parametrize("command", ["soak", "chaos"])
def test_a_drill_never_writes_into_a_folder_that_holds_something(command, tmp_path):
    (tmp_path / "mine").write_text("kept")
    ended = run(
        [sys.executable, "-m", "mev_dagster", command, "p2p", "--home", str(tmp_path)],
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 2
    assert b"new or empty" in ended.stderr
