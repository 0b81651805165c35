"""A fresh anvil per test."""

from collections.abc import Iterator

import pytest
from ingest_anvil import Anvil


@pytest.fixture
def anvil(anvil_binary: str) -> Iterator[Anvil]:
    node = Anvil(anvil_binary, "--hardfork", "prague")
    yield node
    node.stop()
