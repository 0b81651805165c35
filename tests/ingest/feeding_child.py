"""A process that brings a store up to a log in many small batches, for a test to kill at any moment."""

from pathlib import Path

from prometheus_client import CollectorRegistry

from mev_dagster.ingest import feeder
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.settings import Settings
from mev_dagster.store.client import open_store
from mev_dagster.telemetry.clock import SystemClock

SMALL_BATCH = 150


def feed_until_killed(home: str, ready) -> None:
    """Feed; `ready` hears of the start and of every batch."""
    feeder.BATCH_EVENTS = SMALL_BATCH
    own = feeder.StoreFeeder(
        Path(home) / "events",
        lambda: open_store(Settings(home=Path(home)), in_process=False),
        IngestMetrics(CollectorRegistry()),
        SystemClock(),
    )
    ready.send(own.stored_seq)
    while own.step():
        ready.send(own.stored_seq)
    own.close()
