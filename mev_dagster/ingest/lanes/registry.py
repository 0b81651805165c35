"""From settings and flags to lanes: which run, what each is told, and what is wrong with it in one line."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from mev_dagster.errors import InputError, PluginFailed
from mev_dagster.events.types import Lane, source_name
from mev_dagster.ingest.lanes.isolated import IsolatedLane
from mev_dagster.ingest.lanes.lane import IngestLane, LaneFactory, LaneMaker, LaneOrder
from mev_dagster.plugins import OURS, Plugin, bounded, left_out, load, note, tried
from mev_dagster.settings import Settings
from mev_dagster.settings.items import Option

MODES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"p2p": ("p2p",), "rpc": ("rpc",), "hybrid": ("p2p", "rpc")}
)
"""The lanes of a mode: the network's own word, a node's, or both."""

Options: TypeAlias = Mapping[str, Mapping[str, Option]]


def lane_factories(
    settings: Settings, *, names: Sequence[str] = (), flags: Options | None = None
) -> list[LaneFactory]:
    """Return what makes each lane: those named, else the mode's, the settings', or those told of.

    `flags` are options by lane, and win over those of the settings.
    """
    makers = {plugin.name: plugin for plugin in load("lanes") if _is_maker(plugin)}
    listed = {item.name: item.options for item in settings.lanes}
    orders = {
        name: LaneOrder(settings, {**listed.get(name, {}), **(flags or {}).get(name, {})})
        for name in (*makers, *listed, *names)
    }
    moded = MODES[settings.ingest.mode] if settings.ingest.mode else ()
    chosen = (
        names or moded or listed or [name for name, plugin in makers.items() if _wanted(plugin, orders[name])]
    )
    if not chosen:
        raise InputError("no lane: give --rpc ws://host:port or --capture PATH")
    factories: list[LaneFactory] = []
    for name in dict.fromkeys(chosen):
        factories += _prepared(makers.get(name) or _unknown(name, makers), orders[name])
    if not factories:
        raise InputError(f"no lane: {', '.join(chosen)} cannot be used")
    return factories


def _wanted(plugin: Plugin[LaneMaker], order: LaneOrder) -> bool:
    """Ask a lane whether it runs unasked; one of another package that fails does not."""
    return bool(
        plugin.hook.wanted(order)
        if plugin.package == OURS
        else tried(plugin, lambda maker: maker.wanted(order), False)
    )


def _is_maker(plugin: Plugin[Any]) -> bool:
    if isinstance(plugin.hook, LaneMaker) and isinstance(plugin.hook.options, frozenset | set):
        return True
    detail = f"expected a LaneMaker with a set of options, found {type(plugin.hook).__name__}"
    note(PluginFailed(plugin.kind, plugin.name, plugin.package, "not_usable", detail))
    return False


def _prepared(plugin: Plugin[LaneMaker], order: LaneOrder) -> Sequence[LaneFactory]:
    unknown = sorted(set(order.options) - plugin.hook.options)
    if unknown:
        known = ", ".join(sorted(plugin.hook.options)) or "none"
        raise InputError(f"lane {plugin.name}: no option {unknown[0]!r}; there are: {known}")
    if plugin.package == OURS:
        return plugin.hook.prepare_all(order)
    try:
        factories = bounded(plugin, lambda maker: maker.prepare_all(order))
        return [_guarded(plugin, factory) for factory in factories]
    except PluginFailed as failure:
        if isinstance(failure.__cause__, InputError):  # what it was told is wrong: whoever told it hears so
            raise failure.__cause__ from None
        note(failure)
        return ()


def _guarded(plugin: Plugin[LaneMaker], factory: LaneFactory) -> LaneFactory:
    return lambda context: bounded(plugin, lambda _: _isolated(plugin, factory(context)))


def _isolated(plugin: Plugin[LaneMaker], lane: IngestLane) -> IngestLane:
    if lane.kind is not Lane.PRIVATE or source_name(lane.source) != plugin.name:
        expected = f"Lane.PRIVATE with a source that begins with {plugin.name!r}"
        raise TypeError(f"expected {expected}, found {lane.kind!r} and {lane.source!r}")
    if not callable(lane.run):
        raise TypeError(f"a {type(lane).__name__} cannot be run")
    return IsolatedLane(plugin, lane)


def _unknown(name: str, makers: Mapping[str, Plugin[LaneMaker]]) -> Plugin[LaneMaker]:
    for failure in left_out("lanes"):
        if failure.name == name:
            raise InputError(str(failure))
    raise InputError(f"--lanes: no lane {name!r}; there are {', '.join(makers)}")
