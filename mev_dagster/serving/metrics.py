"""How many requests a service's door turned away, and why."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from mev_dagster.telemetry.catalogue import DoorMetrics


def refusals(registry: CollectorRegistry) -> Callable[[str], None]:
    """Return what counts a refusal by its code."""
    metrics = DoorMetrics.on(registry)
    return lambda code: metrics.refused.labels(code).inc()
