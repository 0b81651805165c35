"""Plug-ins: venues, strategies, inspectors, lanes, relays and bids, ours and those of others, found one way.

A package adds one with a line in its `pyproject.toml`, and nothing here changes:

    [project.entry-points."mev_dagster.strategies"]
    my_strategy = "my_package.my_strategy:MyStrategy"

Ours are the lines of `BUILT_IN`, read by the same code. `load(kind)` hands out what can be used, ordered by
name. What cannot be used is left out, said in one line and counted: nothing that is installed stops a run.
`bounded` calls a hook that may raise or never end; within `one_block` it knows what a plug-in has had of it.
"""

import contextvars
import ctypes
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily

from mev_dagster.errors import PluginFailed
from mev_dagster.telemetry.logging import logger

BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "venues": {
        "aave": "mev_dagster.dex.venues.aave.venue:Aave",
        "algebra": "mev_dagster.dex.venues.algebra.venue:Algebra",
        "balancer": "mev_dagster.dex.venues.balancer.venue:Balancer",
        "bancor": "mev_dagster.dex.venues.bancor.venue:Bancor",
        "compound": "mev_dagster.dex.venues.compound.venue:Compound",
        "cow": "mev_dagster.dex.venues.cow.venue:Cow",
        "curve": "mev_dagster.dex.venues.curve.venue:Curve",
        "dodo": "mev_dagster.dex.venues.dodo.venue:Dodo",
        "ekubo": "mev_dagster.dex.venues.ekubo.venue:Ekubo",
        "euler": "mev_dagster.dex.venues.euler.venue:Euler",
        "fluid": "mev_dagster.dex.venues.fluid.venue:Fluid",
        "kyber": "mev_dagster.dex.venues.kyber.venue:Kyber",
        "maker_psm": "mev_dagster.dex.venues.maker_psm.venue:MakerPsm",
        "maker_vaults": "mev_dagster.dex.venues.maker_vaults.venue:MakerVaults",
        "maverick": "mev_dagster.dex.venues.maverick.venue:Maverick",
        "morpho": "mev_dagster.dex.venues.morpho.venue:Morpho",
        "native": "mev_dagster.dex.venues.native.venue:Native",
        "one_inch": "mev_dagster.dex.venues.one_inch.venue:OneInch",
        "pancake_v3": "mev_dagster.dex.venues.pancake_v3.venue:PancakeV3",
        "uniswap_v2": "mev_dagster.dex.venues.uniswap_v2.venue:UniswapV2",
        "uniswap_v3": "mev_dagster.dex.venues.uniswap_v3.venue:UniswapV3",
        "uniswap_v4": "mev_dagster.dex.venues.uniswap_v4.venue:UniswapV4",
        "uniswap_x": "mev_dagster.dex.venues.uniswap_x.venue:UniswapX",
        "zero_ex": "mev_dagster.dex.venues.zero_ex.venue:ZeroEx",
    },
    "strategies": {
        "arbitrage": "mev_dagster.search.strategies.arbitrage:Arbitrage",
        "backrun": "mev_dagster.search.strategies.backrun:Backrun",
        "crowd_backrun": "mev_dagster.search.strategies.crowd_backrun:CrowdBackrun",
        "sandwich": "mev_dagster.search.strategies.sandwich:Sandwich",
        "seen_sandwich": "mev_dagster.search.strategies.seen_sandwich:SeenSandwich",
    },
    "inspectors": {
        "arbitrage": "mev_dagster.labels.inspectors.arbitrage:Arbitrages",
        "cex_dex": "mev_dagster.labels.inspectors.cex_dex:CexDex",
        "failed_arbitrage": "mev_dagster.labels.inspectors.failed_arbitrage:FailedArbitrages",
        "jit": "mev_dagster.labels.inspectors.jit:JitLiquidity",
        "liquidation": "mev_dagster.labels.inspectors.liquidation:Liquidations",
        "sandwich": "mev_dagster.labels.inspectors.sandwich:Sandwiches",
        "suspect": "mev_dagster.labels.inspectors.suspect:Suspects",
    },
    "lanes": {
        "capture": "mev_dagster.ingest.lanes.capture:CaptureMaker",
        "p2p": "mev_dagster.ingest.lanes.p2p:P2PMaker",
        "rpc": "mev_dagster.ingest.lanes.rpc:RpcMaker",
    },
    "relays": {"http": "mev_dagster.pbs.client.registry:http_relay"},
    "bids": {
        "fixed_margin": "mev_dagster.pbs.bid_strategies:fixed_margin",
        "outbid": "mev_dagster.pbs.bid_strategies:outbid",
        "subsidised": "mev_dagster.pbs.bid_strategies:subsidised",
        "timed": "mev_dagster.pbs.bid_strategies:timed",
        "true_value": "mev_dagster.pbs.bid_strategies:true_value",
    },
}
"""Kind -> name -> where the hook is: one line for a plug-in of ours."""

OURS = "mev_dagster"
GIVEN = "given by the caller"
SECONDS_OF_A_CALL = 4.0
"""A third of a slot: what one call of a plug-in of another package may take."""
SECONDS_OF_A_BLOCK = 12.0
"""A slot: what all calls of one such plug-in may take of a block."""

_LOOK_AGAIN_SECONDS = 0.02
_LAST_WORDS_SECONDS = 0.2

Hook = TypeVar("Hook")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Plugin(Generic[Hook]):
    """A hook with its name and the package it came with."""

    kind: str
    name: str
    package: str
    hook: Hook


@dataclass(frozen=True, slots=True)
class FoundPlugins:
    """What one kind has: plug-ins by name, and why each of the others cannot be used."""

    plugins: tuple[Plugin[Any], ...]
    left_out: tuple[PluginFailed, ...]


def load(kind: str) -> tuple[Plugin[Any], ...]:
    """Return the plug-ins of a kind ordered by name; what is left out is logged and counted once."""
    return _loaded(kind).plugins


def left_out(kind: str) -> tuple[PluginFailed, ...]:
    """Return what `load` had to do without."""
    return _loaded(kind).left_out


@lru_cache(maxsize=len(BUILT_IN))
def _loaded(kind: str) -> FoundPlugins:
    _check_kind(kind)
    found = find(kind, entry_points(group=f"{OURS}.{kind}"))
    for failure in found.left_out:
        note(failure)
    return found


def forget() -> None:
    """Look at what is installed again at the next `load`."""
    _loaded.cache_clear()


def find(kind: str, installed: Iterable[EntryPoint], *, seconds: float = SECONDS_OF_A_CALL) -> FoundPlugins:
    """Import ours and what is installed. Our names stay ours; a name that two others claim is nobody's."""
    _check_kind(kind)
    claims: dict[str, list[tuple[str, EntryPoint]]] = {
        name: [(OURS, EntryPoint(name, value, f"{OURS}.{kind}"))] for name, value in BUILT_IN[kind].items()
    }
    for package, line in sorted({(_package_of(line), line) for line in installed}):
        claims.setdefault(line.name, []).append((package, line))
    plugins, failures = [], []
    for name in sorted(claims):
        (package, line), *others = claims[name]
        refused = others if package == OURS else claims[name] if others else []
        failures += [_name_taken(kind, claims[name], refusal) for refusal in refused]
        if (package, line) in refused:
            continue
        try:
            plugins.append(Plugin(kind, name, package, _imported(Plugin(kind, name, package, line), seconds)))
        except PluginFailed as failure:
            failures.append(failure)
    return FoundPlugins(tuple(plugins), tuple(failures))


def _check_kind(kind: str) -> None:
    if kind not in BUILT_IN:
        raise ValueError(f"no kind of plug-in {kind!r}; there are {', '.join(BUILT_IN)}")


def _package_of(line: EntryPoint) -> str:
    return line.dist.name if line.dist is not None else "unknown package"


def _name_taken(
    kind: str, claims: list[tuple[str, EntryPoint]], refused: tuple[str, EntryPoint]
) -> PluginFailed:
    package, line = refused
    owners = ", ".join(f"{line.value} of {package}" for package, line in claims)
    return PluginFailed(kind, line.name, package, "name_taken", f"claimed by {owners}")


def _imported(plugin: Plugin[EntryPoint], seconds: float) -> Any:
    if plugin.package == OURS:  # a built-in that fails to import is a fault of ours, and is shown whole
        return _made(plugin.hook)
    try:
        return bounded(plugin, _made, seconds=seconds)
    except PluginFailed as failure:
        reason = "import_failed" if failure.reason == "raised" else failure.reason
        detail = f"{plugin.hook.value}: {failure.detail}"
        raise PluginFailed(plugin.kind, plugin.name, plugin.package, reason, detail) from failure


def _made(line: EntryPoint) -> Any:
    """Import what a line names; a class is made without arguments."""
    named = line.load()
    return named() if isinstance(named, type) else named


def usable(
    found: Iterable[Plugin[Any]], shape: type | tuple[str, ...], *, texts: tuple[str, ...] = ()
) -> tuple[Plugin[Any], ...]:
    """Return the plug-ins whose hook is of a class, or has these attributes; note what the others are.

    The attributes in `texts` are words: what rows, keys and messages call the hook.
    """
    kept = []
    for plugin in found:
        try:
            lacks = bounded(plugin, lambda hook: _lacking(hook, shape, texts))
        except PluginFailed as failure:
            lacks = [failure.detail]
        if lacks:
            note(_failed(plugin, "not_usable", f"a {type(plugin.hook).__name__} lacks {', '.join(lacks)}"))
        else:
            kept.append(plugin)
    return tuple(kept)


def _lacking(hook: object, shape: type | tuple[str, ...], texts: tuple[str, ...]) -> list[str]:
    if isinstance(shape, type) and not isinstance(hook, shape):
        return [f"being a {shape.__name__}"]
    absent = [name for name in (shape if isinstance(shape, tuple) else ()) if not hasattr(hook, name)]
    said = {name: getattr(hook, name, None) for name in texts if name not in absent}
    return absent + [f"a word for {name}" for name, word in said.items() if not (word and type(word) is str)]


def given(kind: str, name: str, hook: Hook) -> Plugin[Hook]:
    """Return a hook that a caller hands over instead of installing it."""
    return Plugin(kind, name, GIVEN, hook)


def tried(
    plugin: Plugin[Hook],
    call: Callable[[Hook], Answer],
    otherwise: Answer,
    *,
    seconds: float = SECONDS_OF_A_CALL,
) -> Answer:
    """Return `call(hook)`, or `otherwise` when the hook fails; the failure is logged and counted."""
    try:
        return bounded(plugin, call, seconds=seconds)
    except PluginFailed as failure:
        note(failure)
        return otherwise


@dataclass(slots=True)
class _BlockTime:
    """What plug-ins have had of one block: seconds, and the failure of those whose time is over."""

    spent: dict[tuple[str, str, str], float] = field(default_factory=dict)
    over: dict[tuple[str, str, str], PluginFailed] = field(default_factory=dict)


_BLOCK_TIME: ContextVar[_BlockTime | None] = ContextVar("plugin_time_of_a_block", default=None)


@contextmanager
def one_block() -> Iterator[None]:
    """Count what plug-ins take of a block: one whose time is over is not called again before the end.

    Inside another one it changes nothing.
    """
    if _BLOCK_TIME.get() is not None:
        yield
        return
    token = _BLOCK_TIME.set(_BlockTime())
    try:
        yield
    finally:
        _BLOCK_TIME.reset(token)


class _Stopped(BaseException):
    """Raised inside a hook whose time is over; no `except Exception` holds it."""


def bounded(
    plugin: Plugin[Hook],
    call: Callable[[Hook], Answer],
    *,
    seconds: float = SECONDS_OF_A_CALL,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """Return `call(hook)`; raise `PluginFailed` when it raises or takes longer than `seconds`.

    The call runs on a thread of its own. When its time is over it is told to stop and left behind. Ours run
    uncut on the caller's thread: they bound their own work, so what they find depends on no clock.
    """
    if plugin.package == OURS:
        return _answer(plugin, call)
    key, block = (plugin.kind, plugin.name, plugin.package), _BLOCK_TIME.get() or _BlockTime()
    if key in block.over:
        raise block.over[key]
    began = clock()
    try:
        return _on_a_thread(plugin, call, seconds, clock)
    except PluginFailed as failure:
        if failure.reason == "timed_out":
            block.over[key] = failure
        raise
    finally:
        block.spent[key] = block.spent.get(key, 0.0) + clock() - began
        if block.spent[key] > SECONDS_OF_A_BLOCK:
            said = f"its calls took more than {SECONDS_OF_A_BLOCK:g} s of a block"
            block.over.setdefault(key, _failed(plugin, "timed_out", said))


def _on_a_thread(
    plugin: Plugin[Hook], call: Callable[[Hook], Answer], seconds: float, clock: Callable[[], float]
) -> Answer:
    answers: list[Answer] = []
    failures: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            answers.append(call(plugin.hook))
        except BaseException as error:  # whatever a hook raises costs its answer, not the run
            failures.append(error)
        finally:
            done.set()

    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(run,), name=f"plugin {plugin.name}", daemon=True
    )
    ends_at = clock() + seconds
    thread.start()
    while not done.wait(_LOOK_AGAIN_SECONDS):
        if clock() >= ends_at:
            tell_to_stop(thread)
            thread.join(_LAST_WORDS_SECONDS)
            raise _failed(plugin, "timed_out", f"no answer within {seconds:g} s")
    if failures:
        raise _failed(plugin, "raised", said_in_one_line(failures[0])) from failures[0]
    return answers[0]


def _answer(plugin: Plugin[Hook], call: Callable[[Hook], Answer]) -> Answer:
    try:
        return call(plugin.hook)
    except (Exception, SystemExit) as error:
        raise _failed(plugin, "raised", said_in_one_line(error)) from error


def said_in_one_line(error: BaseException) -> str:
    """Return an exception in one line, even one that cannot be written."""
    try:
        said = " ".join(str(error).split())[:200]
    except Exception:
        said = "which cannot be written"
    return f"{type(error).__name__}: {said}"


def _failed(plugin: Plugin[Any], reason: str, detail: str) -> PluginFailed:
    return PluginFailed(plugin.kind, plugin.name, plugin.package, reason, detail)


def tell_to_stop(thread: threading.Thread) -> None:
    """Raise in a thread what no `except Exception` holds, as soon as it runs Python again."""
    ident = ctypes.c_ulong(thread.ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(_Stopped))


class FailureCounter:
    """Failures by kind and reason, for every registry of this process that wants to show them."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def add(self, failure: PluginFailed) -> None:
        """Count one failure."""
        with self._lock:
            label = (failure.kind, failure.reason)
            self._counts[label] = self._counts.get(label, 0) + 1

    def count(self, kind: str, reason: str) -> int:
        """Return how often plug-ins of a kind failed for a reason."""
        return self._counts.get((kind, reason), 0)

    def collect(self) -> Iterable[CounterMetricFamily]:
        """Return the counts as Prometheus reads them."""
        family = CounterMetricFamily(
            "mev_plugin_failures", "Plug-ins a run went on without", labels=["kind", "reason"]
        )
        with self._lock:
            for label, count in sorted(self._counts.items()):
                family.add_metric(label, count)
        yield family

    def register(self, registry: CollectorRegistry) -> None:
        """Show the counts of this process on a registry."""
        registry.register(self)


FAILURES = FailureCounter()


def note(failure: PluginFailed) -> None:
    """Log a failure in one line and count it, once: the run goes on without the plug-in."""
    if failure.noted:
        return
    failure.noted = True
    FAILURES.add(failure)
    logger("plugins").warning(str(failure))
