"""What a strategy is, and which are in use."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Protocol

from mev_dagster import plugins
from mev_dagster.errors import InputError, PluginFailed
from mev_dagster.plugins import Plugin
from mev_dagster.search.landed import Landed
from mev_dagster.search.plan import Plan
from mev_dagster.search.view import BlockView
from mev_dagster.settings import settings
from mev_dagster.settings.items import Option, StrategyItem

SHAPE = ("kind", "name", "plans", "matches")
WORDS = ("kind", "name")


class Strategy(Protocol):
    """A pure function of what it is shown.

    `kind` is what its candidates and landed opportunities are called; `name` carries a version: the same
    name gives the same plans. One that can be told something has `options`, the names of what, and
    `configured(options)`, which returns it as it is then; its `name` says what it was told.
    """

    kind: str
    name: str

    def plans(self, view: BlockView) -> Iterator[Plan]:
        """Yield the candidates, in any order; each sized to its best."""
        ...

    def matches(self, plan: Plan, landed: Landed) -> bool:
        """Say whether a plan does what somebody did."""
        ...


def strategies() -> tuple[Plugin[Strategy], ...]:
    """Return the strategies of this process, by name: those the settings name, else all."""
    return chosen(_usable(plugins.load("strategies")), settings().strategies)


@lru_cache(maxsize=4)
def _usable(found: tuple[Plugin[Strategy], ...]) -> tuple[Plugin[Strategy], ...]:
    return plugins.usable(found, SHAPE, texts=WORDS)


def chosen(found: Sequence[Plugin[Strategy]], wanted: Sequence[StrategyItem]) -> tuple[Plugin[Strategy], ...]:
    """Return those that the settings name, or all but those they switch off."""
    kept = {plugin.name: plugin for plugin in found}
    for item in wanted:
        if item.name not in kept:
            raise InputError(f"strategies: no strategy {item.name!r}; there are {', '.join(kept)}")
        if item.options:
            told = _configured(kept[item.name], tuple(sorted(item.options.items())))
            if isinstance(told, PluginFailed):
                plugins.note(told)
                del kept[item.name]
            else:
                kept[item.name] = told
    named = {item.name for item in wanted if item.enabled}
    refused = {item.name for item in wanted if not item.enabled}
    return tuple(
        plugin for name, plugin in kept.items() if (name in named or not named) and name not in refused
    )


@lru_cache(maxsize=16)
def _configured(
    plugin: Plugin[Strategy], options: tuple[tuple[str, Option], ...]
) -> Plugin[Strategy] | PluginFailed:
    """Return a strategy as its options make it, or why it is none then: asked once, told once."""
    try:
        return _told(plugin, dict(options))
    except PluginFailed as failure:
        if isinstance(failure.__cause__, InputError):  # what it was told is wrong: whoever told it hears so
            raise failure.__cause__ from None
        return failure


def _told(plugin: Plugin[Strategy], options: Mapping[str, Option]) -> Plugin[Strategy]:
    known = sorted(plugins.bounded(plugin, lambda hook: frozenset(getattr(hook, "options", ()))))
    unknown = sorted(set(options) - set(known))
    if unknown:
        there_are = ", ".join(known) or "none"
        raise InputError(f"strategies: {plugin.name}: no option {unknown[0]!r}; there are: {there_are}")
    configured = plugins.bounded(plugin, lambda hook: hook.configured(options))  # type: ignore[attr-defined]
    usable = plugins.usable([replace(plugin, hook=configured)], SHAPE, texts=WORDS)
    if not usable:
        detail = f"with its options it is a {type(configured).__name__}"
        raise PluginFailed(plugin.kind, plugin.name, plugin.package, "not_usable", detail)
    return usable[0]


def as_plugins(handed: Sequence[Strategy] | None) -> tuple[Plugin[Strategy], ...]:
    """Return strategies handed over by a caller as plug-ins; those of this process where none are."""
    if handed is None:
        return strategies()
    return tuple(plugins.given("strategies", strategy.name, strategy) for strategy in handed)


def kinds() -> tuple[str, ...]:
    """Return the kinds that the strategies of this process look for, in order."""
    return tuple(sorted({plugin.hook.kind for plugin in strategies()}))


def does(plan: Plan, landed: Landed) -> bool:
    """Say whether a plan does what somebody did, as the strategy that made it sees it."""
    makers = (plugin for plugin in strategies() if plugin.hook.name == plan.strategy)
    return any(matches(plugin, plan, landed) for plugin in makers)


def matches(plugin: Plugin[Strategy], plan: Plan, landed: Landed) -> bool:
    """Ask one strategy; one that fails matches nothing."""
    return bool(plugins.tried(plugin, lambda strategy: strategy.matches(plan, landed), False))
