"""The shipped capture ingested into a home of its own, with a real store server and a real sandbox relay."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mev_dagster.demo import SHIPPED_CAPTURE
from mev_dagster.platform.health import http_ok
from mev_dagster.settings import settings

START_SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def mev(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "mev_dagster", *arguments]


def wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not http_ok(url)[0]:
        assert process.poll() is None, f"{process.args} ended with {process.returncode}"
        assert time.monotonic() < deadline, f"{url} is not healthy after {START_SECONDS} s"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield a home whose store and relay serve, and whose log and store hold the shipped capture."""
    folder = tmp_path_factory.mktemp("home")
    environment = {
        "MEV_HOME": str(folder),
        "MEV_CAPTURE": str(SHIPPED_CAPTURE),
        "MEV_STORE_PORT": str(free_port()),
        "MEV_RELAY_PORT": str(free_port()),
    }
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    settings.cache_clear()
    config = settings()
    started = [subprocess.Popen(mev(*command)) for command in (("store", "serve"), ("relay", "sandbox"))]
    try:
        wait_until_healthy(f"http://127.0.0.1:{config.store.port}/ping", started[0])
        wait_until_healthy(f"http://127.0.0.1:{config.relay.port}/livez", started[1])
        subprocess.run(
            mev("ingest", "--lanes", "capture", "--capture", str(SHIPPED_CAPTURE), "--speed", "max", "--once",
                "--port", "0"),
            check=True,
            timeout=120,
        )  # fmt: skip
        yield folder
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(timeout=30)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        settings.cache_clear()
