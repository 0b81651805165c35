"""A word has one meaning across the rooms: no class name stands twice."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("mev_dagster", "assets", "sensors", "resources")


def classes() -> dict[str, list[str]]:
    """Return every class of a module with the files that define it."""
    found = defaultdict(list)
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                found[node.name].append(str(path.relative_to(ROOT)))
    return found


def test_no_class_name_stands_twice():
    found = classes()
    assert len(found) > 500
    assert {name: files for name, files in found.items() if len(files) > 1} == {}
