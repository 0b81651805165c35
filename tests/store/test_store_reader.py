"""`mev_dagster.connect()` and `mev store`, as a researcher uses them."""

import json
import os
import subprocess
import sys

from conftest import ServerProcess, emptied
from store_rows import opportunities

import mev_dagster
from mev_dagster.settings import Settings
from mev_dagster.store.client import Store, open_store


def test_a_researcher_reads_exact_frames(local_store: Store):
    local_store.replace("opportunities", {"block_number": 7}, opportunities(2))
    with mev_dagster.connect(local_store.settings) as mev:
        frame = mev.frame("opportunities", blocks=range(7, 8), columns=["rank", "size_wei"])
        assert frame.to_dict("list") == {"rank": [0, 1], "size_wei": [2**255 + 7] * 2}
        assert sum(frame["size_wei"]) == 2**256 + 14
        assert mev.sql("SELECT max(rank) FROM v_opportunities") == [(1,)]


def mev(settings: Settings, *arguments: str) -> tuple[int, dict]:
    run = subprocess.run(
        [sys.executable, "-m", "mev_dagster", "store", *arguments, "--json"],
        env=os.environ | {"MEV_HOME": str(settings.home)},
        capture_output=True,
        check=False,
    )
    return run.returncode, json.loads(run.stdout)


def test_the_command_migrates_verifies_and_prunes(server: ServerProcess):
    with open_store(server.settings) as store:
        emptied(store).replace("opportunities", {"block_number": 7}, opportunities(2))
    status, migrated = mev(server.settings, "migrate")
    assert (status, migrated["ok"], migrated["created"]) == (0, True, [])
    assert migrated["tables"]["opportunities"]["columns"] > 20
    status, verified = mev(server.settings, "verify")
    assert (status, verified["ok"], verified["tables"]["opportunities"]["rows"]) == (0, True, 2)
    status, pruned = mev(server.settings, "prune", "--dry-run", "--before", "2030-01-01")
    assert (status, pruned["rows_pruned"]) == (0, 2)
    status, pruned = mev(server.settings, "prune", "--before", "2030-01-01")
    assert pruned["tables"] == {"opportunities": {"rows": 2, "days": ["2023-11-14"]}}
    assert mev(server.settings, "prune", "--before", "2030-01-01")[1]["rows_pruned"] == 0
