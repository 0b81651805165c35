"""A store that is told to stop while its engine starts does so: no signal is lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_while_the_engine_starts_ends_the_store(tmp_path: Path, number: signal.Signals):
    command = [sys.executable, "-m", "mev_dagster", "store", "serve", "--port", "0"]
    with subprocess.Popen(command, env=os.environ | {"MEV_HOME": str(tmp_path)}) as process:
        deadline = time.monotonic() + 120
        while not (tmp_path / "store.spool").exists():  # made when the handlers stand, before the engine
            assert process.poll() is None, "it ended by itself"
            assert time.monotonic() < deadline, "it did not come up"
            time.sleep(0.001)
        process.send_signal(number)
        try:
            process.wait(timeout=120)
        finally:
            process.kill()
    assert not (tmp_path / "store.json").exists(), "what has ended is not advertised"
