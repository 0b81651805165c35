"""Processes that others of ours start: a setting that cannot be used is one line there too."""

import os
import subprocess
import sys

import pytest

CHILDREN = (
    ("mev_dagster.windows.decode_worker",),
    ("mev_dagster.bench.decode_tail",),
    ("mev_dagster.bench.day_part", "ingest", "home", "1", "1"),
    ("mev_dagster.bench.devp2p_sender", "enode://x", "1"),
    ("mev_dagster.bench.devp2p_hostile_sender", "enode://x", "no hello", "1"),
    ("resources.runtime.instance_growth", "1"),
)


@pytest.mark.parametrize("command", CHILDREN, ids=lambda command: command[0])
def test_a_child_refuses_a_setting_in_one_line(command, tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", *command],
        env={**os.environ, "MEV_STOR_PORT": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=tmp_path,
    )
    line = "mev: bad_input: MEV_STOR_PORT: no such setting; did you mean MEV_STORE_PORT?\n"
    assert (ended.returncode, ended.stderr, ended.stdout) == (2, line, "")
