"""`mev ingest` with a lane of another package that misbehaves: the others come to their end all the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mev_dagster.demo import SHIPPED_CAPTURE
from mev_dagster.events.log import EventLogReader
from mev_dagster.events.types import Lane

LANE = """
import time
from mev_dagster.errors import InputError
from mev_dagster.events.types import Lane
from mev_dagster.ingest.lanes.lane import LaneMaker


class Odd:
    kind, source, connected = Lane.PRIVATE, "odd", False

    async def run(self, queue):
        {does}


class Odds(LaneMaker):
    def prepare(self, order):
        return lambda context: Odd()
"""


@pytest.fixture
def site(tmp_path: Path):
    """A folder with a package that brings a lane which does what a test says."""

    def install(does: str) -> Path:
        folder = tmp_path / "site"
        info = folder / "odd_package-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-package\nVersion: 1\n")
        (info / "entry_points.txt").write_text("[mev_dagster.lanes]\nodd = odd_lane:Odds\n")
        (folder / "odd_lane.py").write_text(LANE.format(does=does))
        return folder

    return install


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("time.sleep(1_000)", "timed_out: its event loop stood still"),
        ("raise RuntimeError('no such wire')", "raised: RuntimeError: no such wire"),
        ("raise SystemExit(7)", "raised: RuntimeError: SystemExit: 7"),
        ("await queue.put('a transaction')", "raised: TypeError: expected an arrival"),
        ("raise InputError('the wire needs a key')", "raised: InputError: the wire needs a key"),
    ],
)
def test_a_capture_is_ingested_whole_beside_a_lane_that_fails(site, tmp_path, does, said):
    home = tmp_path / "home"
    told = {"PYTHONPATH": str(site(does)), "MEV_HOME": str(home)}
    command = ["ingest", "--lanes", "capture,odd", "--speed", "max", "--once", "--port", "0", "--capture"]
    done = subprocess.run(
        [sys.executable, "-m", "mev_dagster", *command, str(SHIPPED_CAPTURE)],
        env={**os.environ, **told},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    [told_once] = [line["event"] for line in lines if line["room"] == "plugins"]
    assert said in told_once
    lanes = {event.lane for event in EventLogReader(home / "events").read()}
    assert Lane.CAPTURE in lanes
