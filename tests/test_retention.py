"""What grows beside the store is swept without Dagster where Dagster has kept nothing."""

import os
import subprocess
import sys
import time
from pathlib import Path

SWEEP = """
import sys
sys.modules["dagster"] = None  # every import of it fails
from mev_dagster.commands.store import _sweep_beside_the_store
for one in _sweep_beside_the_store(dry_run=False):
    print(one.place, one.what)
"""


def test_a_home_without_dagsters_records_is_swept_without_dagster(tmp_path: Path):
    old = tmp_path / "reports" / "2020-01-01T00.html"
    old.parent.mkdir()
    old.write_text("an hour")
    os.utime(old, (time.time() - 10**8,) * 2)
    told = {**os.environ, "MEV_HOME": str(tmp_path), "MEV_INGEST_PORT": "9"}
    done = subprocess.run(
        [sys.executable, "-c", SWEEP], env=told, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"reports {old.name}" in done.stdout
    assert not old.exists()
