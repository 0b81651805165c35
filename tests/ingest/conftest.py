"""A fresh anvil per test, and the store server."""

from collections.abc import Iterator

import pytest
from ingest_anvil import Anvil
from ingest_store import home, store, store_server

__all__ = ["anvil", "home", "store", "store_server"]


@pytest.fixture
def anvil(anvil_binary: str) -> Iterator[Anvil]:
    node = Anvil(anvil_binary, "--hardfork", "prague")
    yield node
    node.stop()
