"""The platform's tests share one ingested capture and its store."""

from pathlib import Path

import pytest
from capture_home import home

from mev_dagster.settings import settings
from mev_dagster.store.client import Store, open_store

__all__ = ["home"]


@pytest.fixture(scope="module")
def store(home: Path) -> Store:
    return open_store(settings(), in_process=False)
