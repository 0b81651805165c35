"""Every name that moved is where `moved_names.json` says it is today."""

import json
from importlib import import_module
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent
MOVED = json.loads((HERE / "moved_names.json").read_text())


@pytest.mark.parametrize("new", sorted(set(MOVED.values())))
def test_a_name_that_moved_is_where_the_list_says(new: str):
    module, _, name = new.partition(":")
    found = import_module(module)
    assert not name or hasattr(found, name)


@pytest.mark.parametrize("old", sorted({name.partition(":")[0] for name in MOVED}))
def test_no_old_name_hides_a_package_of_today(old: str):
    """What stands in for an old module has no submodules, so a package of that name would lose its own."""
    folder = ROOT / old.replace(".", "/")
    assert not (folder / "__init__.py").exists(), f"{old} is a package; list its names where they are today"
