"""One store server for all tests of a session, emptied before each test that asks for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ingest_processes import StoreServer

from mev_dagster.settings import Settings
from mev_dagster.store.client import Store, open_store
from mev_dagster.store.tables import TABLES


@pytest.fixture(scope="session")
def store_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    server = StoreServer(tmp_path_factory.mktemp("ingest_store"))
    yield server
    server.stop()


@pytest.fixture
def store(store_server: StoreServer) -> Iterator[Store]:
    with open_store(Settings(home=store_server.home), in_process=False) as opened:
        for name in TABLES:
            if name != "schema_migrations":
                opened.command(f"TRUNCATE TABLE {name}")
        yield opened


@pytest.fixture
def home(store_server: StoreServer, tmp_path: Path) -> Path:
    """A folder of one's own that shares the store server."""
    (tmp_path / "store.json").symlink_to(store_server.home / "store.json")
    return tmp_path
