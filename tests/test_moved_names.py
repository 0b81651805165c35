"""Every name that moved is where `moved_names.json` says it is today."""

import json
from importlib import import_module
from pathlib import Path

import pytest

MOVED = json.loads(Path(__file__).with_name("moved_names.json").read_text())


@pytest.mark.parametrize("new", sorted(set(MOVED.values())))
def test_a_name_that_moved_is_where_the_list_says(new: str):
    module, _, name = new.partition(":")
    found = import_module(module)
    assert not name or hasattr(found, name)
