"""An asset's code version is a digest of the code that writes its table, and changes with that code alone."""

import ast
import inspect
import os
import shutil
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from assets.code_versions import WRITTEN_BY, code_version
from mev_dagster.blockrun import source_code
from mev_dagster.errors import OtherCode

ROOT = Path(source_code.__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the platform's packages."""
    folder = tmp_path_factory.mktemp("copy")
    for package in source_code.PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "*.json", "*.zst")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    return folder


def versions(folder: Path) -> dict[str, str]:
    """Return the version of every table's code as a process started there has it."""
    program = (
        "from assets.code_versions import WRITTEN_BY, code_version\n"
        "for table in WRITTEN_BY: print(table, code_version(table))"
    )
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split() for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("edited", "changes", "stays"),
    [
        ("mev_dagster/labels/label.py", {"mev_labels", "backtests"}, {"opportunities", "ingest_windows"}),
        ("mev_dagster/search/rank.py", {"opportunities", "block_templates"}, {"ingest_windows", "coverage"}),
        ("mev_dagster/pbs/template.py", {"block_templates", "relay_submissions"}, {"opportunities"}),
        ("mev_dagster/windows/rows.py", {"ingest_windows", "opportunities"}, {"labels_daily"}),
        ("assets/search.py", {"opportunities"}, {"mev_labels", "ingest_windows"}),
    ],
)
def test_an_edit_changes_the_versions_of_what_that_code_writes(copy: Path, edited, changes, stays):
    file, before = copy / edited, versions(copy)
    whole = file.read_text()
    try:
        file.write_text(whole + "\nEDITED = True\n")
        after = versions(copy)
    finally:
        file.write_text(whole)
    assert {table for table in before if before[table] != after[table]} >= changes
    assert all(before[table] == after[table] for table in stays)
    assert versions(copy) == before


def test_a_version_has_no_clock_in_it(copy: Path):
    before = versions(copy)
    for file in (copy / "mev_dagster/search").glob("*.py"):
        os.utime(file, (1, 1))
    assert versions(copy) == before


def test_every_room_that_a_step_s_module_uses_is_in_the_version_of_what_it_writes():
    from mev_dagster.blockrun import steps

    imported = {
        node.module.removeprefix("mev_dagster.").split(".")[0]
        for node in ast.walk(ast.parse(inspect.getsource(steps)))
        if isinstance(node, ast.ImportFrom) and node.module.startswith("mev_dagster.")
    }
    below = {"errors", "units", "hexadecimal", "telemetry", "settings", "plugins", "blockrun"}
    covered = {name.split(".")[0] for names in WRITTEN_BY.values() for name in names}
    assert imported - below <= covered


def test_a_run_of_other_code_is_refused():
    source_code.refuse_other_code({})
    source_code.refuse_other_code({source_code.CODE_TAG: source_code.loaded()})
    with pytest.raises(OtherCode, match="reload the definitions"):
        source_code.refuse_other_code({source_code.CODE_TAG: "other"})


def test_every_asset_of_a_table_has_its_version():
    from assets.search import opportunities

    assert set(opportunities.code_versions_by_key.values()) == {code_version("opportunities")}


def test_a_module_is_read_from_its_place_whoever_finds_modules(monkeypatch):
    """A finder that serves moved names tells no origin; the version is the same with it."""
    expected = source_code.digest(["assets.per_block"])
    found = source_code.find_spec

    def without_origin(name, package=None):
        return found(name, package) if "." not in name else ModuleSpec(name, None)

    monkeypatch.setattr(source_code, "find_spec", without_origin)
    assert source_code.digest(["assets.per_block"]) == expected
