"""How many requests a service's door turned away, and why."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter


def refusals(registry: CollectorRegistry) -> Callable[[str], None]:
    """Return what counts a refusal by its code."""
    refused = Counter(
        "mev_http_refused", "Requests turned away at the door, by reason", ["code"], registry=registry
    )
    return lambda code: refused.labels(code).inc()
