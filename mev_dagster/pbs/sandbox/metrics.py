"""The relay's metrics, by the names public relays use."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from mev_dagster.serving.metrics import refusals
from mev_dagster.telemetry.metrics import process_registry


class RelayMetrics:
    """The metrics of one relay on a registry of its own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = process_registry() if registry is None else registry
        self.count_refusal = refusals(self.registry)
        self.answered = Counter(
            "relay_submit_new_block_answers",
            "Submissions by HTTP status and code of the answer",
            ["status", "code"],
            registry=self.registry,
        )
        self.latency_seconds = Histogram(
            "relay_submit_new_block_latency_seconds",
            "From the request line to the answer",
            registry=self.registry,
        )
        self.simulation_seconds = Histogram(
            "relay_submit_new_block_simulation_latency_seconds",
            "Re-execution of one block",
            registry=self.registry,
        )
        self.payload_bytes = Histogram(
            "relay_submit_new_block_payload_size_bytes",
            "Bodies as received",
            buckets=(1e3, 1e4, 1e5, 1e6, 1e7, 1.6e7),
            registry=self.registry,
        )
        self.bid_value = Gauge(
            "relay_submit_new_block_bid_value_wei", "The last accepted bid", registry=self.registry
        )
