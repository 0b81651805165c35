"""Prometheus metrics: one registry per process, and the lag every stage of a block's way is measured by.

A process makes a registry, its rooms define their metrics on it, and `exposition` renders it for /metrics.
Nothing is registered at import, so two daemons in one test do not share counters.
"""

from prometheus_client import CollectorRegistry, GCCollector, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

# From a loopback node's head (1 ms) to a block that waited a whole slot and more.
LAG_BUCKETS_SECONDS = (
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1.0,
    2.0,
    4.0,
    8.0,
    12.0,
    24.0,
    60.0,
)


def process_registry() -> CollectorRegistry:
    """Return a registry that already reports this process: CPU, memory, open files, garbage collection."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def block_lag(registry: CollectorRegistry) -> Histogram:
    """Define `mev_block_lag_seconds{stage}`: from a head's announcement to the end of `stage`.

    Stages in order: fetched, logged, stored, windowed, simulated, searched, built, submitted. Every
    process observes its own stages under this one name, so a dashboard reads the whole way at once.
    """
    return Histogram(
        "mev_block_lag_seconds",
        "Seconds from the announcement of a head to the end of a stage",
        ["stage"],
        buckets=LAG_BUCKETS_SECONDS,
        registry=registry,
    )


def exposition(registry: CollectorRegistry) -> tuple[bytes, str]:
    """Return the registry in Prometheus' text format and its content type."""
    return generate_latest(registry), CONTENT_TYPE_LATEST
