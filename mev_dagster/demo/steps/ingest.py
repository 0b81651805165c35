"""The capture is sound, and what it holds reaches the event log and the store on the daemon's own path."""

import asyncio
from collections import Counter

from mev_dagster.captures.verify import verify_capture
from mev_dagster.demo.stage import Stage, StepOutcome
from mev_dagster.events.reader import EventLogReader
from mev_dagster.events.types import BlockSeen, TxBody, TxIncluded, TxReplaced, TxSeen
from mev_dagster.events.verify import verify
from mev_dagster.ingest.daemon import IngestDaemon
from mev_dagster.ingest.lanes.capture import CaptureLane
from mev_dagster.store.client import open_store
from mev_dagster.windows.rows import INGEST_TABLES


def check_capture(stage: Stage) -> StepOutcome:
    """Check every digest, record and root of the capture."""
    report, manifest = verify_capture(stage.capture.path), stage.capture.manifest
    return StepOutcome(
        report.ok,
        {
            "capture": stage.capture.path.name,
            "recorded_with": manifest.recorded_with,
            "arrival_times": report.arrival_times,
            "first_block": manifest.first_block,
            "last_block": manifest.last_block,
            "blocks": report.blocks,
            "txs": report.txs,
            "events": report.events,
            "prestates": report.prestates,
            "contracts": report.codes,
            "bytes": sum(part.bytes for part in manifest.parts),
            "errors": report.errors,
        },
    )


def ingest(stage: Stage) -> StepOutcome:
    """Run the daemon over the capture at full speed, and look at the log and the store it leaves."""
    daemon = IngestDaemon(
        stage.settings,
        [lambda context: CaptureLane(stage.capture, context.clock, chain=context.chain)],
        lambda: open_store(stage.settings),
        once=True,
    )
    asyncio.run(daemon.run())

    log = verify(stage.settings.events_dir)
    events = list(EventLogReader(stage.settings.events_dir).read())
    seen = {event.tx_hash for event in events if isinstance(event, TxSeen)}
    included = {event.tx_hash for event in events if isinstance(event, TxIncluded)}
    rows = {table: stage.store.count(table) for table in INGEST_TABLES}
    bodies = [event for event in events if isinstance(event, TxBody)]
    types = Counter(_type_of(event.raw) for event in bodies if event.tx_hash in seen)
    heads = sum(isinstance(event, BlockSeen) for event in events)
    return StepOutcome(
        log.ok
        and rows["blocks"] == heads == len(stage.capture.numbers)
        and rows["transactions"] == len(bodies),
        {
            "events": log.events,
            "segments": log.segments,
            "log_ok": log.ok,
            "sightings": sum(isinstance(event, TxSeen) for event in events),
            "seen": len(seen),
            "never_landed": len(seen - included),
            "replaced": sum(isinstance(event, TxReplaced) for event in events),
            "types": {str(kind): count for kind, count in sorted(types.items())},
            "rows": rows,
        },
    )


def _type_of(raw: bytes) -> int:
    """Return a transaction's type; a legacy one begins with its RLP list."""
    return raw[0] if raw[0] < 0x80 else 0
