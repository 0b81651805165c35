"""The relays of the settings, each with its client: by the kind it is of, ours and those of other packages.

A package adds a kind under the entry-point group `mev_dagster.relays`: a function of a `RelayItem`, the
tracing and the endpoint's breaker that returns a `RelayClient` or what does the same.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from mev_dagster import plugins
from mev_dagster.errors import InputError
from mev_dagster.pbs.client.breaker import CircuitBreaker, FileMemory
from mev_dagster.pbs.client.guarded import guarded
from mev_dagster.pbs.client.relay import RelayClient
from mev_dagster.pbs.client.transport import RelayEndpoint
from mev_dagster.plugins import Plugin
from mev_dagster.settings import RelayItem
from mev_dagster.telemetry.tracing import Tracing

FOLDER = "relays"
RelayMaker = Callable[[RelayItem, Tracing, CircuitBreaker], RelayClient]


def http_relay(item: RelayItem, tracing: Tracing, breaker: CircuitBreaker) -> RelayClient:
    """Return the client of a relay that speaks relay-specs over HTTP."""
    return RelayClient(endpoint_of(item), tracing=tracing, breaker=breaker)


def endpoint_of(item: RelayItem) -> RelayEndpoint:
    """Return where a relay is and how it likes its submissions."""
    return RelayEndpoint(
        item.url,
        name=item.name,
        json=item.encoding == "json",
        gzip=item.gzip,
        cancellations=item.cancellations,
        total_timeout_s=item.timeout_ms / 1_000,
    )


def relay_clients(items: Sequence[RelayItem], *, home: Path, tracing: Tracing) -> tuple[RelayClient, ...]:
    """Return a client for each relay, its breaker remembered under the home; the order is the settings'."""
    makers: dict[str, Plugin[RelayMaker]] = {plugin.name: plugin for plugin in plugins.load("relays")}
    failed = {failure.name for failure in plugins.left_out("relays")} - set(makers)
    unknown = sorted({item.kind for item in items} - set(makers) - failed)
    if unknown:
        raise InputError(f"relay kind {unknown[0]!r} is not known; there are {', '.join(sorted(makers))}")
    made = (
        _client(makers[item.kind], item, tracing, CircuitBreaker(FileMemory(home / FOLDER, item.url)))
        for item in items
        if item.kind not in failed
    )
    return tuple(client for client in made if client is not None)


def _client(
    plugin: Plugin[RelayMaker], item: RelayItem, tracing: Tracing, breaker: CircuitBreaker
) -> RelayClient | None:
    """Make one client; None where another package's cannot be made, which is logged and counted."""
    if plugin.package == plugins.OURS:
        return plugin.hook(item, tracing, breaker)
    return plugins.tried(plugin, lambda make: guarded(plugin, make(item, tracing, breaker), item.name), None)
