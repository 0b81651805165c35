"""Where the real data and the peers are, and why a test that needs them may skip."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = Path(os.environ.get("MEV_FIXTURES", ROOT.parent / "shared" / "fixtures")).resolve()


@pytest.fixture(scope="session")
def fixtures() -> Path:
    if not (FIXTURES / "manifest.json").exists():
        pytest.skip(f"MEV_FIXTURES: no mainnet fixtures at {FIXTURES}")
    return FIXTURES


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the figures that tests have put down with `record_property`: how much each of them has seen."""
    for report in terminalreporter.stats.get("", []):  # where set-up and tear-down are counted
        if report.when == "teardown" and report.user_properties:
            figures = ", ".join(f"{name} {value}" for name, value in report.user_properties)
            terminalreporter.write_line(f"{report.nodeid.rpartition('/')[2]}: {figures}")


@pytest.fixture(scope="session")
def anvil_binary() -> str:
    packaged = sorted((ROOT / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil*"))
    found = str(packaged[0]) if packaged else shutil.which("anvil")
    if not found:
        pytest.skip("anvil is absent: run `make setup` with Node.js installed")
    return found


@pytest.fixture
def anvil(anvil_binary: str) -> Iterator[Any]:
    """A fresh anvil of the test's own."""
    from ingest_anvil import Anvil

    node = Anvil(anvil_binary, "--hardfork", "prague")
    yield node
    node.stop()
