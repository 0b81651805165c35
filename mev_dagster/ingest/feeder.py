"""From the log to the store: in order, in batches, resumable after a crash or an outage of any length.

The log is the truth. How far the store has come is kept in the store itself, so a store that was dropped is
rebuilt from the start without anyone's help.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mev_dagster.errors import LogCorrupt
from mev_dagster.events.codec import RawEvent, decode
from mev_dagster.events.reader import EventLogReader, LogCursor
from mev_dagster.events.types import BlockSeen, EventKind, Lane
from mev_dagster.ingest.chain import BLOCKS_REMEMBERED
from mev_dagster.ingest.checkpoints import LIVE, checkpoint_rows
from mev_dagster.ingest.checkpoints import TABLE as CHECKPOINT_TABLE
from mev_dagster.ingest.log_windows import log_identity
from mev_dagster.ingest.memory import DecodedTransactions
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.rows import INGEST_TABLES, WINDOW_TABLES, RowBuilder, Rows, settled
from mev_dagster.store.log_writer import LogWriter
from mev_dagster.telemetry.clock import Clock
from mev_dagster.telemetry.logging import logger

if TYPE_CHECKING:
    from mev_dagster.store.client import Store

BATCH_EVENTS = 8_192
LARGEST_BATCH_EVENTS = 8 * BATCH_EVENTS
BLOCK_KEY = ("block_number", "block_hash")

log = logger("ingest.feeder")


class StoreFeeder:
    """Follows one log and keeps the store up with it. Blocking; one caller at a time."""

    def __init__(
        self,
        log_directory: Path,
        connect: "Callable[[], Store]",
        metrics: IngestMetrics,
        clock: Clock,
        decoded: DecodedTransactions | None = None,
    ) -> None:
        self.stored_seq = -1
        self._reader = EventLogReader(log_directory)
        self._connect = connect
        self._metrics, self._clock = metrics, clock
        self._decoded = decoded
        self._store: Store | None = None
        self._writer: LogWriter | None = None
        self._builder: RowBuilder
        self._cursor: LogCursor
        self._available: Iterator[RawEvent] = iter(())

    @property
    def backlog(self) -> int:
        """Number of events that are logged and not yet stored."""
        return max(0, self._reader.last_seq - self.stored_seq)

    def step(self) -> int:
        """Store the next batch and return how many events it held; 0 when the store has caught up.

        Raises `StoreError` or `NodeUnreachable` when the store fails. The next step then connects anew and
        goes on from what the store itself says it holds.
        """
        try:
            store = self._store = self._store or self._connect()
            if self._reader.last_seq < 0:
                return 0
            return self._store_batch(self._writer or self._resume(store))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the store."""
        store, self._store, self._writer = self._store, None, None
        if store is not None:
            store.close()

    def _resume(self, store: "Store") -> LogWriter:
        """Undo what was written past the recorded progress, and find the place in the log."""
        log_id = log_identity(self._reader)
        writer = LogWriter(store, log_id, (*INGEST_TABLES, CHECKPOINT_TABLE))
        stored = writer.resume()
        if stored > self._reader.last_seq:
            raise LogCorrupt(
                f"{self._reader.directory}: the store holds event {stored} of this log, "
                f"whose last one is {self._reader.last_seq}"
            )
        self._builder = RowBuilder(log_id, self._decoded)
        self._recall(writer, stored)
        self._cursor = LogCursor(self._reader.directory, max(stored + 1, self._reader.first_seq))
        self._available = iter(())
        self.stored_seq = stored
        self._writer = writer
        log.info("store connected", log_id=log_id, stored_seq=stored, backlog=self.backlog)
        return writer

    def _recall(self, writer: LogWriter, stored: int) -> None:
        """Give the row builder the heads and the open window that lie before its place in the log."""
        recent = writer.newest_windows(BLOCKS_REMEMBERED)
        first = min((first_seq for first_seq, _ in recent), default=0)
        last_head = max((last_seq for _, last_seq in recent), default=-1)
        for event in self._reader.read(max(first, self._reader.first_seq)):
            if event.seq > stored:
                break
            if event.seq > last_head:
                self._builder.push(event)
            else:
                self._builder.remember(event)
        self._builder.take()

    def _store_batch(self, writer: LogWriter) -> int:
        batch = self._next_batch()
        if not batch:
            return 0
        started = time.perf_counter()
        heads = []
        for raw in batch:
            event = decode(raw)
            self._builder.push(event)
            if raw.kind == EventKind.BLOCK_SEEN and isinstance(event, BlockSeen):
                heads.append(event)
        self._write(writer, settled(self._builder.take()), batch[-1].seq)
        self.stored_seq = batch[-1].seq
        self._metrics.stored_seq.set(self.stored_seq)
        self._metrics.store_batch_seconds.observe(time.perf_counter() - started)
        now_ns = self._clock.wall_ns()
        for head in heads:
            if head.lane is not Lane.CAPTURE:
                self._metrics.block_lag.labels("stored").observe((now_ns - head.wall_ns) / 1e9)
        return len(batch)

    def _next_batch(self) -> list[RawEvent]:
        """Return what is there, up to a batch that ends with a head: a whole window needs no renumbering."""
        batch: list[RawEvent] = []
        while True:
            for raw in self._available:
                batch.append(raw)
                at_head = raw.kind == EventKind.BLOCK_SEEN
                if len(batch) >= LARGEST_BATCH_EVENTS or (at_head and len(batch) >= BATCH_EVENTS):
                    return batch
            place = self._cursor.next_seq
            self._available = self._cursor.available()
            if self._reader.last_seq < place:
                return batch

    def _write(self, writer: LogWriter, rows: Rows, last_seq: int) -> None:
        for table in INGEST_TABLES:
            new, revised = rows.written.get(table, []), rows.revised.get(table, [])
            if revised and table in WINDOW_TABLES:
                # The window's number is part of these tables' keys: the old row has to go first.
                writer.forget(table, revised)
                new, revised = [*revised, *new], []
            count = writer.revise_by_key(table, revised, BLOCK_KEY)
            if new:
                count += (
                    writer.write_transactions(new) if table == "transactions" else writer.write(table, new)
                )
            self._metrics.store_rows.labels(table).inc(count)
        checkpoints = checkpoint_rows(rows.checkpoints, log_id=writer.log_id, run=LIVE)
        writer.write(CHECKPOINT_TABLE, checkpoints)
        writer.advance(last_seq)
