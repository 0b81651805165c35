"""The same store over every engine: chDB in this process, the embedded server, and a ClickHouse server.

chDB opens one path per process, so everything in process shares one engine for the whole session.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from served_store import ServerProcess, emptied

from mev_dagster.settings import Settings
from mev_dagster.store.client import Store, open_store


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


@pytest.fixture
def store(engine: Store) -> Store:
    return emptied(engine)


@pytest.fixture
def local_store(in_process: Store) -> Store:
    """For behaviour that does not depend on the engine behind it."""
    return emptied(in_process)
