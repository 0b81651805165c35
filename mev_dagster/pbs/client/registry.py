"""The relays of the settings, each with its client: by the kind it is of, ours and those of other packages.

A package adds a kind under the entry-point group `mev_dagster.relays`: a function of a `RelayItem`, the
tracing and the endpoint's breaker that returns a `RelayClient` or what does the same.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from mev_dagster import plugins
from mev_dagster.errors import InputError
from mev_dagster.pbs.client.breaker import CircuitBreaker, FileMemory
from mev_dagster.pbs.client.relay import RelayClient
from mev_dagster.pbs.client.transport import RelayEndpoint
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
    makers: dict[str, RelayMaker] = {plugin.name: plugin.hook for plugin in plugins.load("relays")}
    unknown = sorted({item.kind for item in items} - set(makers))
    if unknown:
        raise InputError(f"relay kind {unknown[0]!r} is not known; there are {', '.join(sorted(makers))}")
    memories = [FileMemory(home / FOLDER, item.url) for item in items]
    return tuple(
        makers[item.kind](item, tracing, CircuitBreaker(memory))
        for item, memory in zip(items, memories, strict=True)
    )
