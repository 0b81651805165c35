"""The optional extension that `make native` builds, and whether the one installed is this version's."""

from functools import lru_cache
from importlib import import_module
from typing import Any

from mev_dagster.errors import InputError

INTERFACE = 3
"""What native/src/lib.rs exports: both grow when a call between the two sides changes."""


@lru_cache(maxsize=1)
def _found() -> tuple[Any, str]:
    """Return the extension, or None and why it cannot be used."""
    try:
        module = import_module("mev_native")
    except ImportError:
        return None, "the revm engine is not installed: run `make native`, which needs cargo"
    if getattr(module, "INTERFACE", 1) != INTERFACE:
        return None, "the installed mev_native is of another version: run `make native`, which needs cargo"
    return module, ""


def native_is_installed() -> bool:
    """Say whether the extension can be imported, and understands this version's calls."""
    return _found()[0] is not None


def native() -> Any:
    """Return the extension, or raise `InputError` that says what to do."""
    module, problem = _found()
    if module is None:
        raise InputError(problem)
    return module
