"""One engine for all store tests of this process, because chDB opens only one path per process."""

import pytest

from mev_dagster.settings import Settings
from mev_dagster.store.client import Store, open_store
from mev_dagster.store.tables import TABLES


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Store:
    with open_store(Settings(home=tmp_path_factory.mktemp("store"))) as opened:
        yield opened


@pytest.fixture
def store(engine: Store) -> Store:
    for name in TABLES:
        if name != "schema_migrations":
            engine.command(f"TRUNCATE TABLE mev.{name}")
    return engine
