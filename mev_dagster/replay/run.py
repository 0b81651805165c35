"""A log folded into rows and checkpoints, batch by batch, from its events alone."""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mev_dagster.events.manifest import read_manifest
from mev_dagster.events.reader import EventLogReader
from mev_dagster.events.types import BlockSeen
from mev_dagster.ingest.rows import RowBuilder, Rows, settled

BATCH_EVENTS = 8_192
NS_PER_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ReplayBatch:
    """Consecutive events as rows; all but the last batch of a log end with a head."""

    first_seq: int
    last_seq: int
    rows: Rows


class Replay:
    """One run over a log, up to event `last_seq`. The totals are complete when `batches` has ended."""

    def __init__(
        self,
        reader: EventLogReader,
        *,
        log_id: str,
        last_seq: int | None = None,
        on_batch: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self.events = self.checkpoints = 0
        self.seconds = 0.0
        self.last_seq = reader.last_seq if last_seq is None else last_seq
        self._reader, self._on_batch = reader, on_batch
        self._builder = RowBuilder(log_id)
        self._chain = bytes(32)
        self._first_wall_ns = self._last_wall_ns = 0

    @property
    def segments(self) -> int:
        """Number of segments of the log, the open one included."""
        manifest = read_manifest(self._reader.directory)
        return len(manifest.segments) + (self._reader.last_seq >= manifest.next_seq)

    @property
    def digest(self) -> bytes:
        """One digest of everything: the checkpoints chained, then the events after the last head."""
        return hashlib.sha256(self._chain + self._builder.open_digest).digest()

    @property
    def times_real_time(self) -> float:
        """How much faster the run was than the time the log spans."""
        span = (self._last_wall_ns - self._first_wall_ns) / NS_PER_SECOND
        return span / self.seconds if self.seconds else 0.0

    def batches(self) -> Iterator[ReplayBatch]:
        """Run the log and yield its rows. Only the folding counts as `seconds`."""
        first_seq = self._reader.first_seq
        started = time.perf_counter()
        pushed = 0
        for event in self._reader.read(first_seq):
            if event.seq > self.last_seq:
                break
            self._builder.push(event)
            self._first_wall_ns = self._first_wall_ns or event.wall_ns
            self._last_wall_ns = max(self._last_wall_ns, event.wall_ns)
            pushed += 1
            if pushed >= BATCH_EVENTS and isinstance(event, BlockSeen):
                batch = self._batch(first_seq, pushed)
                self.seconds += time.perf_counter() - started
                yield batch
                started = time.perf_counter()
                first_seq, pushed = event.seq + 1, 0
        if pushed:
            batch = self._batch(first_seq, pushed)
            self.seconds += time.perf_counter() - started
            yield batch

    def _batch(self, first_seq: int, count: int) -> ReplayBatch:
        rows = settled(self._builder.take())
        for checkpoint in rows.checkpoints:
            digests = checkpoint.event_digest + checkpoint.row_digest
            self._chain = hashlib.sha256(self._chain + digests).digest()
        self.checkpoints += len(rows.checkpoints)
        self.events += count
        last_seq = first_seq + count - 1
        self._on_batch(last_seq, self.last_seq)
        return ReplayBatch(first_seq, last_seq, rows)
