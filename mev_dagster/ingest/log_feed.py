"""From the queue into the event log: what arrived is durable before anybody hears of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from mev_dagster.events.log import EventLogWriter
from mev_dagster.events.manifest import prunable, read_manifest
from mev_dagster.events.types import Event, LaneState, LaneStatus
from mev_dagster.ingest.arrivals import UNLOGGED, Arrival
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.pipeline import Pipeline
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.settings import Settings
from mev_dagster.telemetry.clock import Clock
from mev_dagster.telemetry.logging import logger
from mev_dagster.units import MIB

ARRIVALS_PER_BATCH = 1_024  # undecoded ones keep the event loop for 80 us each
BYTES_PER_BATCH = 4 * MIB

log = logger("ingest")


def open_writer(settings: Settings) -> EventLogWriter:
    """Open the log for appending; what a crash tore off its end is cut and told."""
    writer = EventLogWriter(
        settings.events_dir,
        segment_bytes=settings.events.segment_bytes,
        segment_seconds=settings.events.segment_seconds,
        fsync_interval_ms=settings.events.fsync_interval_ms,
    )
    if writer.torn_tail is not None:
        log.warning("torn tail cut", tail=str(writer.torn_tail))
    return writer


class LogFeed:
    """Writes what the pipeline makes of arrivals, in groups that share a sync."""

    def __init__(
        self,
        settings: Settings,
        writer: EventLogWriter,
        queue: ArrivalQueue,
        pipeline: Pipeline,
        metrics: IngestMetrics,
        clock: Clock,
    ) -> None:
        self._events_dir = settings.events_dir
        self._interval = settings.events.fsync_interval_ms / 1000
        self._writer, self._queue, self._pipeline = writer, queue, pipeline
        self._metrics, self._clock = metrics, clock
        self._writing = asyncio.Lock()  # the log's writer serves one thread at a time

    @property
    def durable_seq(self) -> int:
        """The last event that a crash cannot take back."""
        return self._writer.durable_seq

    async def run(
        self,
        arrived: Callable[[Sequence[Arrival]], None],
        logged: Callable[[Sequence[Event]], Awaitable[None]],
    ) -> None:
        """Log until the queue is closed and empty; say what arrived, and then what is durable."""
        while batch := await self._queue.take(ARRIVALS_PER_BATCH, BYTES_PER_BATCH):
            started = time.monotonic()
            batch.extend(self._drops())
            arrived(batch)
            events = self._pipeline.accept(batch)
            if not events:
                continue
            async with self._writing:
                await asyncio.to_thread(self._append, events)
            self._metrics.durable_seq.set(self.durable_seq)
            self._metrics.count_events(events)
            await logged(events)
            # Group commit: what arrives within the interval shares the next sync.
            await asyncio.sleep(max(0.0, self._interval - (time.monotonic() - started)))

    async def seal(self) -> dict[str, Any]:
        """Seal the open segment."""
        async with self._writing:
            await asyncio.to_thread(self._writer.seal)
        return {"durable_seq": self.durable_seq}

    async def prune(self, before_wall_ns: int, *, stored_seq: int, dry_run: bool) -> dict[str, Any]:
        """Let sealed segments go that are older and wholly stored: what the store lacks stays."""
        old = prunable(read_manifest(self._events_dir), before_wall_ns, stored_seq)
        if old and not dry_run:
            async with self._writing:
                await asyncio.to_thread(self._writer.prune, old[-1].last_wall_ns + 1)
        return {"segments": [segment.name for segment in old], "bytes": sum(one.bytes for one in old)}

    def close(self) -> None:
        """Seal and close the log."""
        self._writer.seal()
        self._writer.close()

    def _append(self, events: list[Event]) -> None:
        with self._metrics.commit_seconds.time():
            self._writer.append_many(events)
            self._writer.commit()

    def _drops(self) -> list[Arrival]:
        stamp = (UNLOGGED, self._clock.wall_ns(), self._clock.mono_ns())
        return [
            LaneStatus(*stamp, lane, source, LaneState.DROPPED, reason, count)
            for (lane, source, reason), count in self._queue.unreported_drops().items()
        ]
