"""The inspectors, one a file: what each looks for is in its file's first sentence.

Ours are lines of `mev_dagster.plugins.BUILT_IN`; those of other packages come by entry point.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mev_dagster.errors import InputError, PluginFailed
from mev_dagster.labels.inspector import Inspector
from mev_dagster.labels.precedence import PAIRS, winners
from mev_dagster.plugins import OURS, Plugin, load, note

NOT_KINDS = frozenset({"number", "lacks", "swaps", "prices", "attempted_swaps"})
"""What else stands beside the kinds in the JSON of a block."""


@dataclass(frozen=True, slots=True)
class Inspectors:
    """Who looks at a block, winners first, and which kinds win over which."""

    plugins: tuple[Plugin[Inspector], ...]
    over: Mapping[str, frozenset[str]]


def installed() -> Inspectors:
    """Return ours and those of other packages."""
    return accepted(load("inspectors"))


@lru_cache(maxsize=8)
def accepted(plugins: tuple[Plugin[Any], ...]) -> Inspectors:
    """Take every inspector whose kind is its own; the others are left out, named and counted.

    Ours come first, so that no package can take a kind of ours.
    """
    taken: list[Plugin[Inspector]] = []
    pairs = PAIRS
    for plugin in sorted(plugins, key=lambda one: (one.package != OURS, one.name)):
        try:
            pairs = _with(plugin, taken, pairs)
        except (InputError, AttributeError, TypeError) as error:
            said = f"{type(error).__name__}: {error}"
            note(PluginFailed(plugin.kind, plugin.name, plugin.package, "not_usable", said))
        else:
            taken.append(plugin)
    over = winners(pairs)
    taken.sort(key=lambda one: (len(over.get(one.hook.kind, ())), one.hook.kind))
    return Inspectors(tuple(taken), over)


def _with(
    plugin: Plugin[Any], taken: list[Plugin[Inspector]], pairs: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, str], ...]:
    hook = plugin.hook
    if not isinstance(hook, Inspector):
        raise InputError(f"expected an Inspector, found {type(hook).__name__}")
    if not all(type(word) is str and word for word in (hook.kind, hook.plural, *hook.yields_to)):
        raise InputError(f"kinds are words, found {hook.kind!r}, {hook.plural!r} and {hook.yields_to!r}")
    if {hook.kind, hook.plural} & NOT_KINDS:
        raise InputError(f"kind {hook.kind} ({hook.plural}): a block has this key already")
    for other in taken:
        if {hook.kind, hook.plural} & {other.hook.kind, other.hook.plural}:
            raise InputError(f"kind {hook.kind} ({hook.plural}) is that of {other.name} of {other.package}")
    more = (*pairs, *((wins, hook.kind) for wins in hook.yields_to))
    winners(more)
    return more
