"""The same store over every engine: chDB in this process, the embedded server, and a ClickHouse server.

chDB opens one path per process, so everything in process shares one engine for the whole session.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from mev_dagster.settings import Settings
from mev_dagster.store.client import Store, open_store
from mev_dagster.store.endpoint import Advertisement, read_advertisement


class ServerProcess:
    """`mev store serve` on a free port, as a process that can be killed and started again."""

    def __init__(self, home: Path):
        self.settings = Settings(home=home)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "ServerProcess":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mev_dagster", "store", "serve", "--port", str(self.port)],
            env=os.environ | {"MEV_HOME": str(self.settings.home)},
            stderr=subprocess.PIPE,
        )
        line = self._process.stderr.readline().decode() if self._process.stderr else ""
        assert "serving" in line, line
        self.port = int(self.advertised.url.rpartition(":")[2])
        return self

    @property
    def advertised(self) -> Advertisement:
        found = read_advertisement(self.settings)
        assert found is not None
        return found

    def client(self, **options: object) -> Client:
        return clickhouse_connect.get_client(
            host="127.0.0.1",
            port=self.port,
            **({"username": "default", "password": self.advertised.token} | options),
        )

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        status = self._process.wait(30)
        self._process = None
        return status


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path_factory.mktemp("server")).start()
    yield running
    running.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path / "home").start()
    yield running
    running.kill()


@pytest.fixture(scope="session")
def in_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_store(Settings(home=tmp_path_factory.mktemp("store"))) as opened:
        yield opened


CLICKHOUSE_URL = os.environ.get("MEV_TEST_CLICKHOUSE_URL")
ENGINES = ["in process", "embedded server", *(["clickhouse server"] if CLICKHOUSE_URL else [])]


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "in process":
        yield request.getfixturevalue("in_process")
        return
    if request.param == "embedded server":
        settings = request.getfixturevalue("server").settings
    else:
        settings = Settings(
            store={"url": CLICKHOUSE_URL, "database": f"mev_test_{os.getpid()}_{time.time_ns()}"}
        )
    with open_store(settings) as opened:
        yield opened
        if settings.store.url:
            opened.command(f"DROP DATABASE {settings.store.database}")


def emptied(store: Store) -> Store:
    for (name,) in store.rows(
        "SELECT name FROM system.tables WHERE database = {db:String} AND total_rows > 0"
        " AND name != 'schema_migrations'",
        {"db": store.database},
    ):
        store.command(f"TRUNCATE TABLE {name}")
    return store


@pytest.fixture
def store(engine: Store) -> Store:
    return emptied(engine)


@pytest.fixture
def local_store(in_process: Store) -> Store:
    """For behaviour that does not depend on the engine behind it."""
    return emptied(in_process)
