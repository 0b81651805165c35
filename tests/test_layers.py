"""Imports point down only (docs/architecture.md): import-linter keeps the contracts of pyproject.toml."""

import re
import tomllib
from pathlib import Path

import grimp
import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).resolve().parents[1]
TOP_LEVEL = ("assets", "sensors", "resources")


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("mev_dagster", *TOP_LEVEL, cache_dir=None)


def test_every_contract_of_the_layers_is_kept(capsys: pytest.CaptureFixture[str]):
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_every_room_has_a_layer(graph: grimp.ImportGraph):
    [layers] = [
        contract["layers"]
        for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
            "contracts"
        ]
        if contract["name"] == "imports point down"
    ]
    placed = {room.strip() for line in layers for room in re.split("[|:]", line)}
    assert {*graph.find_children("mev_dagster"), *TOP_LEVEL} == placed


def knots(imports: dict[str, set[str]]) -> list[set[str]]:
    """Return what is left of a graph once everything that is in no circle is taken away, end by end."""
    left = {name: targets & imports.keys() for name, targets in imports.items()}
    while ends := {name for name, targets in left.items() if not targets}:
        left = {name: targets - ends for name, targets in left.items() if name not in ends}
    return [{name, *targets} for name, targets in left.items()]


def test_no_modules_import_each_other_in_a_circle(graph: grimp.ImportGraph):
    assert not knots({name: set(graph.find_modules_directly_imported_by(name)) for name in graph.modules})


def test_no_native_modules_use_each_other_in_a_circle():
    used = {
        path.stem: set(re.findall(r"^use crate::(\w+)", path.read_text(), re.M))
        for path in sorted((ROOT / "native" / "src").glob("*.rs"))
    }
    assert used["execute"]
    assert not knots(used)


def test_a_circle_is_seen():
    assert knots({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()})
    assert not knots({"a": {"b", "c"}, "b": {"c"}, "c": set()})
