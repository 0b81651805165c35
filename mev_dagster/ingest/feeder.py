"""From the log to the store: in order, in batches, resumable after a crash or an outage of any length.

The log is the truth. How far the store has come is kept in the store itself, so a store that was dropped is
rebuilt from the start without anyone's help.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mev_dagster.errors import LogCorrupt, StoreOfAnotherChain
from mev_dagster.events.batch import RawBatch
from mev_dagster.events.reader import EventLogReader, LogCursor
from mev_dagster.events.types import EventKind
from mev_dagster.ingest.head_lags import HeadLags
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.node.identity import CHAIN_FILE, ChainPin
from mev_dagster.telemetry.clock import Clock
from mev_dagster.telemetry.logging import logger
from mev_dagster.units import MIB
from mev_dagster.windows.bodies import BodyDecoder, Decoded
from mev_dagster.windows.canonical_chain import BLOCKS_REMEMBERED
from mev_dagster.windows.checkpoints import LIVE, checkpoint_rows
from mev_dagster.windows.checkpoints import TABLE as CHECKPOINT_TABLE
from mev_dagster.windows.head_cutter import HeadCutter
from mev_dagster.windows.log_windows import log_identity
from mev_dagster.windows.log_writer import LogWriter, as_columns
from mev_dagster.windows.rivals import settle
from mev_dagster.windows.row_parts import RowPart, Rows
from mev_dagster.windows.rows import INGEST_TABLES, WINDOW_TABLES, RowBuilder, settled
from mev_dagster.windows.store_chain import hold_to_chain

if TYPE_CHECKING:
    from mev_dagster.store.client import Store

BATCH_EVENTS = 8_192
LARGEST_BATCH_EVENTS = 8 * BATCH_EVENTS
BATCH_BYTES = 16 * MIB
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
        bodies: BodyDecoder | None = None,
        lags: HeadLags | None = None,
        *,
        pin: ChainPin | None = None,
    ) -> None:
        self.stored_seq = -1
        self._reader = EventLogReader(log_directory)
        self._connect = connect
        self._metrics = metrics
        self._lags = lags or HeadLags(metrics.registry, clock)
        self._bodies = bodies or BodyDecoder()
        self._pin = pin or ChainPin(log_directory / CHAIN_FILE)
        self._chain_settled = False
        self._store: Store | None = None
        self._writer: LogWriter | None = None
        self._builder: RowBuilder
        self._cursor: LogCursor
        self._cutter: HeadCutter
        self._available: Iterator[RawBatch] = iter(())
        self._ahead: deque[list[tuple[RawBatch, Decoded]]] = deque()

    @property
    def backlog(self) -> int:
        """Number of events that are logged and not yet stored."""
        return max(0, self._reader.last_seq - self.stored_seq)

    def step(self) -> int:
        """Store the next batch and return how many events it held; 0 when the store has caught up.

        Raises `StoreError` or `StoreUnreachable` when the store fails. The next step then connects anew and
        goes on from what the store itself says it holds.
        """
        try:
            store = self._store = self._store or self._connect()
            if not self._chain_settled:
                self._chain_settled = self._hold_to_chain(store)
            if self._reader.last_seq < 0:
                return 0
            return self._store_batch(self._writer or self._resume(store))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the store."""
        store, self._store, self._writer = self._store, None, None
        self._chain_settled = False
        if store is not None:
            store.close()

    def _hold_to_chain(self, store: "Store") -> bool:
        try:
            return hold_to_chain(store, self._pin)
        except StoreOfAnotherChain:
            self._metrics.wrong_chain.labels("store").inc()
            raise

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
        self._builder = RowBuilder(log_id)
        self._recall(writer, stored)
        self._cursor = LogCursor(self._reader.directory, max(stored + 1, self._reader.first_seq))
        self._cutter = HeadCutter()
        self._available = iter(())
        self._ahead.clear()
        self.stored_seq = stored
        self._writer = writer
        log.info("store connected", log_id=log_id, stored_seq=stored, backlog=self.backlog)
        return writer

    def _recall(self, writer: LogWriter, stored: int) -> None:
        """Give the row builder the heads and the open window that lie before its place in the log."""
        recent = writer.newest_windows(BLOCKS_REMEMBERED)
        first = min((first_seq for first_seq, _ in recent), default=0)
        last_head = max((last_seq for _, last_seq in recent), default=-1)
        for batch in self._reader.batches(max(first, self._reader.first_seq)):
            known, _ = batch.split(stored + 1)
            if not len(known):
                break
            heads, rest = known.split(last_head + 1)
            self._builder.remember(heads)
            self._builder.push(rest, self._bodies.begin(rest)())
        self._builder.take()

    def _store_batch(self, writer: LogWriter) -> int:
        parts = self._next_parts()
        if not parts:
            return 0
        started = time.perf_counter()
        for batch, decoded in parts:
            self._builder.push(batch, decoded())
        last_seq = int(parts[-1][0].headers["seq"][-1])
        rows = settled(self._builder.take())
        assert self._store is not None, "a batch is taken for a store"
        settle(self._store, rows)
        self._write(writer, rows, last_seq)
        stored, self.stored_seq = self.stored_seq, last_seq
        self._metrics.stored_seq.set(self.stored_seq)
        self._metrics.store_batch_seconds.observe(time.perf_counter() - started)
        self._observe_lag([batch for batch, _ in parts])
        return last_seq - stored

    def _observe_lag(self, batches: list[RawBatch]) -> None:
        for batch in batches:
            heads = batch.of_kind(EventKind.BLOCK_SEEN).headers
            for stamp in zip(*(heads[name].tolist() for name in ("seq", "wall_ns", "lane")), strict=True):
                self._lags.stored(*stamp)

    def _next_parts(self) -> list[tuple[RawBatch, Decoded]]:
        """Return the parts of the next batch; decoding of the one behind it may have begun."""
        while len(self._ahead) <= self._bodies.lookahead and (batches := self._cut()):
            self._ahead.append([(batch, self._bodies.begin(batch)) for batch in batches])
        return self._ahead.popleft() if self._ahead else []

    def _cut(self) -> list[RawBatch]:
        """Return what is there, up to a batch that ends with a head; far behind, batches are larger."""
        behind = self._reader.last_seq - self._cursor.next_seq
        at_least = LARGEST_BATCH_EVENTS // 2 if behind > LARGEST_BATCH_EVENTS else BATCH_EVENTS
        bounds = {"at_least": at_least, "at_most": LARGEST_BATCH_EVENTS, "at_most_bytes": BATCH_BYTES}
        found = self._cutter.take(self._available, **bounds)
        if not found:
            self._available = self._cursor.batches()
            found = self._cutter.take(self._available, **bounds)
        return found

    def _write(self, writer: LogWriter, rows: Rows, last_seq: int) -> None:
        for table in INGEST_TABLES:
            count = 0
            if table in WINDOW_TABLES and rows.revised.count(table):
                # The window's number is part of these tables' keys: the old row has to go first.
                writer.forget(table, rows.revised.seqs(table))
                count += self._append(writer, table, rows.revised)
            elif rows.revised.count(table):
                count += writer.revise_by_key(table, rows.revised[table], BLOCK_KEY)
            count += self._append(writer, table, rows.written)
            self._metrics.store_rows.labels(table).inc(count)
        checkpoints = checkpoint_rows(rows.checkpoints, log_id=writer.log_id, run=LIVE)
        writer.write(CHECKPOINT_TABLE, as_columns(checkpoints))
        writer.advance(last_seq)

    @staticmethod
    def _append(writer: LogWriter, table: str, part: RowPart) -> int:
        columns = part.columns(table)
        return writer.write_transactions(columns) if table == "transactions" else writer.write(table, columns)
