"""What the daemon counts. Names and labels are part of the interface: dashboards and alerts read them."""

from collections import Counter as Tally
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from mev_dagster.events.types import Event, Lane, lane_name, source_name
from mev_dagster.telemetry.metrics import block_lag

_FAST_SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class IngestMetrics:
    """The daemon's metrics on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._private: frozenset[str] = frozenset()
        self.block_lag = block_lag(registry)
        self.events = Counter("mev_ingest_events", "Events logged", ["lane", "kind"], registry=registry)
        self.dropped = Counter(
            "mev_ingest_dropped", "Arrivals lost before the log", ["lane", "reason"], registry=registry
        )
        self.duplicates = Counter(
            "mev_ingest_duplicate_bodies", "Bodies of known hashes", ["lane"], registry=registry
        )
        self.rejected = Counter("mev_ingest_rejected", "Undecodable offers", ["reason"], registry=registry)
        self.sidecar_bytes = Counter(
            "mev_ingest_sidecar_bytes", "Blob sidecar bytes dropped", registry=registry
        )
        self.included = Counter(
            "mev_ingest_included_txs",
            "Transactions of canonical blocks, by whether a lane had shown them before",
            ["seen"],
            registry=registry,
        )
        self.reverted_blocks = Counter(
            "mev_ingest_reverted_blocks", "Blocks a reorg reverted", registry=registry
        )
        self.missing_blocks = Counter("mev_ingest_missing_blocks", "Heads never shown", registry=registry)
        self.queue_depth = Gauge("mev_ingest_queue_depth", "Arrivals waiting", registry=registry)
        self.queue_capacity = Gauge("mev_ingest_queue_capacity", "Bound of the queue", registry=registry)
        self.lane_up = Gauge("mev_lane_up", "1 while the lane delivers", ["lane"], registry=registry)
        self.lane_restarts = Counter("mev_lane_restarts", "Lane deaths", ["lane"], registry=registry)
        self.resynced = Counter(
            "mev_lane_resynced_txs", "Pending transactions a resync brought", ["lane"], registry=registry
        )
        self.first_seen = Histogram(
            "mev_first_seen_delta_seconds",
            "By how much a lane saw a transaction before another lane",
            ["lane", "vs"],
            buckets=_FAST_SECONDS,
            registry=registry,
        )
        self.head_block = Gauge("mev_head_block_number", "Number of the newest head", registry=registry)
        self.head_age = Gauge(
            "mev_head_age_seconds",
            "Arrival of the newest head minus its own timestamp",
            registry=registry,
        )
        self.durable_seq = Gauge("mev_log_durable_seq", "Last acknowledged event", registry=registry)
        self.commit_seconds = Histogram(
            "mev_log_commit_seconds", "Write and sync of a batch", buckets=_FAST_SECONDS, registry=registry
        )
        self.stored_seq = Gauge("mev_store_applied_seq", "Last event in the store", registry=registry)
        self.backlog = Gauge("mev_store_backlog_events", "Logged, not yet stored", registry=registry)
        self.store_rows = Counter("mev_store_rows", "Rows written", ["table"], registry=registry)
        self.store_failures = Counter("mev_store_failures", "Refused or lost inserts", registry=registry)
        self.store_batch_seconds = Histogram(
            "mev_store_batch_seconds", "Rows built and inserted", buckets=_FAST_SECONDS, registry=registry
        )
        self.engine_mismatches = Gauge(
            "mev_sim_parity_mismatch_inputs",
            "Inputs in the home on which the engine in use and the reference disagree",
            registry=registry,
        )
        self.loop_lag = Histogram(
            "mev_loop_lag_seconds", "Delay of the event loop", buckets=_FAST_SECONDS, registry=registry
        )

    def name_private_lanes(self, names: Iterable[str]) -> None:
        """Count what these sources of the private lane bring under their own names.

        Only lanes the daemon runs have one: what a source calls itself makes no new time series.
        """
        self._private = frozenset(names)

    def lane_label(self, lane: Lane, source: str) -> str:
        """Return what a lane is called: the name of its kind, or its own where another package brought it."""
        name = source_name(source) if lane is Lane.PRIVATE else ""
        return name if name in self._private else lane_name(lane)

    def count_drop(self, lane: Lane, source: str, reason: str, count: int) -> None:
        """Count what a queue refused."""
        self.dropped.labels(self.lane_label(lane, source), reason).inc(count)

    def count_events(self, events: Sequence[Event]) -> None:
        """Count a batch of logged events."""
        for (lane, source, kind), count in Tally((e.lane, e.source, type(e)) for e in events).items():
            self.events.labels(self.lane_label(lane, source), kind.__name__).inc(count)
