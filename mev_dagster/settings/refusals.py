"""One clear line for a value that cannot be used: which name, what was expected, what was found."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mev_dagster.settings.items import ITEMS
from mev_dagster.settings.names import Setting, nearest_of
from mev_dagster.settings.section import holds_credential
from mev_dagster.settings.sources import Environment, read_profile

_INSTANCE = re.compile(r"a valid dictionary or instance of \w+")


def one_line(
    error: ValidationError,
    told: Mapping[str, Any],
    environment: Environment,
    profile: Path | None,
    known: Mapping[str, Setting],
) -> str:
    """Say the first thing that is wrong, by the name the user knows it under, and how much else is."""
    found = sorted(error.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")
    first, more = found[0], len(found) - 1
    where = tuple(first["loc"])
    name = _origin(where, told, environment, profile, known)
    rest = f" (and {more} more)" if more else ""
    if first["type"] == "extra_forbidden":
        meant = nearest_of(str(where[-1]), _siblings(where, known))
        return f"{name}: no such setting" + (f"; did you mean {meant}?" if meant else "") + rest
    reason = (
        first["msg"].removeprefix("Value error, ").replace("Input should be", "expected").split(", unable")[0]
    )
    reason = _INSTANCE.sub("a section", reason)
    secret = any(isinstance(part, str) and holds_credential(part) for part in where)
    shown = "" if secret or first["type"] in {"missing", "value_error"} else f", found {first['input']!r}"
    return f"{name}: {reason}{shown}{rest}"


def _origin(
    where: tuple[int | str, ...],
    told: Mapping[str, Any],
    environment: Environment,
    profile: Path | None,
    known: Mapping[str, Setting],
) -> str:
    dotted = ".".join(str(part) for part in where)
    if _holds(told, where):
        return dotted
    for name, setting in known.items():
        if name in environment.values and where[: len(setting.path)] == setting.path:
            inner = ".".join(str(part) for part in where[len(setting.path) :])
            return environment.origin[name] + (f"[{inner}]" if inner else "")
    if profile is not None and _holds(read_profile(profile), where[:1]):
        return f"{profile}: {dotted}"
    return dotted


def _holds(tree: Any, where: tuple[int | str, ...]) -> bool:
    for part in where:
        if not isinstance(tree, Mapping):
            return True
        if part not in tree:
            return False
        tree = tree[part]
    return True


def _siblings(where: tuple[int | str, ...], known: Mapping[str, Setting]) -> set[str]:
    above = where[:-1]
    if above and above[0] in ITEMS:
        return set(ITEMS[str(above[0])].model_fields)
    return {
        setting.path[len(above)]
        for setting in known.values()
        if setting.path[: len(above)] == above and len(setting.path) > len(above)
    }
