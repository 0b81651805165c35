"""One part of the synthetic day as a process: `python -m mev_dagster.bench.day_part PART HOME COUNT`.

A line of JSON on stdout for every step forward, and one with the figures at the end.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from mev_dagster.bench.day_stream import Stream, arrivals, signed_slots
from mev_dagster.errors import plain_refusals
from mev_dagster.events.log import EventLogReader, EventLogWriter
from mev_dagster.ingest.backfill import backfill
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.pipeline import Pipeline
from mev_dagster.replay.report import replay_log
from mev_dagster.settings import Settings, settings
from mev_dagster.store.client import open_store
from mev_dagster.store.verify import compressed_bytes
from mev_dagster.windows.decode_workers import DecodeWorkers
from mev_dagster.windows.memory import DecodedTransactions
from mev_dagster.windows.rows import INGEST_TABLES

WORKERS = 2
EARLY = 0.1
"""The share of the work after which memory should have stopped growing."""

Figures = dict[str, Any]


class PartWatch:
    """Tells how far the work is, and how much memory this process and its helpers have needed by then."""

    def __init__(self, helpers: Callable[[], Sequence[int]] = lambda: ()) -> None:
        self._helpers = helpers
        self._early: dict[str, int] = {}
        self._last_step = 0

    def at(self, done: int, total: int) -> None:
        """Take note of progress."""
        share = done / max(1, total)
        if share >= EARLY and not self._early:
            self._early = self._peaks()
        if int(share * 100) > self._last_step:
            self._last_step = int(share * 100)
            _say({"percent": self._last_step})

    def memory(self) -> Figures:
        """Return the peaks by `EARLY` and by now, in bytes."""
        return {"early": self._early or self._peaks(), "peak": self._peaks()}

    def _peaks(self) -> dict[str, int]:
        helpers = [peak_bytes(pid) for pid in self._helpers()]
        return {"process": peak_bytes("self")} | ({"worker": max(helpers)} if helpers else {})


def peak_bytes(pid: int | str) -> int:
    """Return the most memory a process has had resident."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def ingest(home: Path, stream: Stream) -> Figures:
    """Make the day up and log it, through the daemon's pipeline and log writer."""
    decoded, metrics = DecodedTransactions(), IngestMetrics(CollectorRegistry())
    pipeline, watch, slots = Pipeline(metrics, chain_id=1, decoded=decoded), PartWatch(), 0
    with EventLogWriter(home / "events") as writer:
        for found in arrivals(signed_slots(stream, WORKERS), decoded):
            writer.append_many(pipeline.accept(found))
            writer.commit()
            slots += 1
            watch.at(slots, stream.slots)
        writer.seal()
        events = writer.next_seq
    size = sum(path.stat().st_size for path in (home / "events").glob("*.segment"))
    return {"events": events, "bytes": size, "memory": watch.memory()}


def store(home: Path, stream: Stream) -> Figures:
    """Store the log: decoded on workers, inserted in large batches."""
    with DecodeWorkers(WORKERS) as workers, open_store(Settings(home=home)) as opened:
        watch = PartWatch(workers.pids)
        report = backfill(opened, home / "events", workers=workers, on_batch=watch.at)
        memory = watch.memory()
        sizes = {table: compressed_bytes(opened, table) for table in INGEST_TABLES}
        transactions = opened.count("transactions")
    return {**report, "bytes": sum(sizes.values()), "transactions": transactions, "memory": memory}


def replay(home: Path, stream: Stream) -> Figures:
    """Run the log again and compare every row and every digest with what was stored."""
    with DecodeWorkers(WORKERS) as workers, open_store(Settings(home=home)) as opened:
        watch = PartWatch(workers.pids)
        report = replay_log(EventLogReader(home / "events"), opened, workers=workers, on_batch=watch.at)
        memory = watch.memory()
    return {
        "parity": report.parity,
        "rows": report.rows_compared,
        "windows": report.checkpoints_compared,
        "digest": report.digest.hex(),
        "divergence": "" if report.first_divergence is None else str(report.first_divergence),
        "memory": memory,
    }


PARTS: dict[str, Callable[[Path, Stream], Figures]] = {"ingest": ingest, "store": store, "replay": replay}


def _say(document: Figures) -> None:
    print(json.dumps(document), flush=True)


def main(part: str, home: str, transactions: str, slots: str) -> None:
    """Do one part."""
    started = time.perf_counter()
    figures = PARTS[part](Path(home), Stream(int(transactions), int(slots)))
    _say({**figures, "seconds": time.perf_counter() - started})


if __name__ == "__main__":
    with plain_refusals():
        settings()
        main(*sys.argv[1:])
