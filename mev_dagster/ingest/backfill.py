"""Store a whole log, or what the store lacks of it: `mev store backfill`. Doing it again changes nothing.

First what the feeder has not reached yet, then what the store has let go since (`reimport`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from mev_dagster.events.reader import EventLogReader
from mev_dagster.ingest.feeder import StoreFeeder
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.telemetry.clock import SystemClock
from mev_dagster.windows.bodies import BodyDecoder
from mev_dagster.windows.reimport import reimport
from mev_dagster.windows.rows import INGEST_TABLES

if TYPE_CHECKING:
    from mev_dagster.store.client import Store
    from mev_dagster.windows.decode_workers import DecodeWorkers


def backfill(
    store: "Store",
    log: Path | str,
    *,
    again: bool = False,
    workers: "DecodeWorkers | None" = None,
    on_batch: Callable[[int, int], None] = lambda stored, last: None,
) -> dict[str, Any]:
    """Make the store hold the log to its end, with `again` all of it anew; return the rows written, by table.

    The daemon's own writer does the first half all the time; a log it is writing must be left to it. With
    `workers` the next batch is decoded while this one is stored.
    """
    directory = Path(log)
    reader = EventLogReader(directory)
    last_seq = reader.last_seq
    metrics = IngestMetrics(CollectorRegistry())
    feeder = StoreFeeder(directory, lambda: store, metrics, SystemClock(), BodyDecoder(workers))
    while feeder.step():
        on_batch(feeder.stored_seq, last_seq)
    tables = {
        table: int(metrics.registry.get_sample_value("mev_store_rows_total", {"table": table}) or 0)
        for table in INGEST_TABLES
    }
    restored = reimport(store, reader, upto_seq=feeder.stored_seq, again=again, on_progress=on_batch)
    tables = {table: rows + restored[table] for table, rows in tables.items()}
    return {
        "tables": tables,
        "rows_written": sum(tables.values()),
        "rows_pruned": 0,
        "events": feeder.stored_seq + 1,
        "ok": feeder.stored_seq >= last_seq,
    }
