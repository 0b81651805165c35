"""Real submissions of the fixtures, decoded once."""

from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard


@pytest.fixture(scope="session")
def relay_file(fixtures: Path) -> Callable[[str], bytes]:
    def read(name: str) -> bytes:
        data = (fixtures / "relay" / name).read_bytes()
        if name.endswith(".zst"):
            return zstandard.ZstdDecompressor().stream_reader(data).read()
        return data

    return read
