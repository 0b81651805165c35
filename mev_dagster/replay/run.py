"""A log folded into rows and checkpoints, batch by batch, from its events alone."""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mev_dagster.events.batch import RawBatch
from mev_dagster.events.manifest import read_manifest
from mev_dagster.events.reader import EventLogReader
from mev_dagster.units import NS_PER_SECOND
from mev_dagster.windows.bodies import BodyDecoder, Decoded
from mev_dagster.windows.head_cutter import HeadCutter
from mev_dagster.windows.rows import RowBuilder, Rows, settled

BATCH_EVENTS = 32_768


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
        bodies: BodyDecoder | None = None,
        on_batch: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self.events = self.checkpoints = 0
        self.seconds = 0.0
        self.last_seq = reader.last_seq if last_seq is None else last_seq
        self._reader, self._on_batch = reader, on_batch
        self._builder = RowBuilder(log_id)
        self._bodies = bodies or BodyDecoder()
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
        started = time.perf_counter()
        for parts in self._parts():
            for events, decoded in parts:
                self._builder.push(events, decoded())
            batch = self._batch([events for events, _ in parts])
            self.seconds += time.perf_counter() - started
            yield batch
            started = time.perf_counter()

    def _parts(self) -> Iterator[list[tuple[RawBatch, Decoded]]]:
        """Yield the parts of each batch, decoding begun for as many behind it as is worth while."""
        cutter, source = HeadCutter(), self._up_to_last()
        ahead: deque[list[tuple[RawBatch, Decoded]]] = deque()
        while batches := cutter.take(source, at_least=BATCH_EVENTS):
            ahead.append([(events, self._bodies.begin(events)) for events in batches])
            if len(ahead) > self._bodies.lookahead:
                yield ahead.popleft()
        yield from ahead

    def _up_to_last(self) -> Iterator[RawBatch]:
        for events in self._reader.batches(self._reader.first_seq):
            wanted, beyond = events.split(self.last_seq + 1)
            if len(wanted):
                yield wanted
            if len(beyond):
                return

    def _batch(self, parts: list[RawBatch]) -> ReplayBatch:
        rows = settled(self._builder.take())
        for checkpoint in rows.checkpoints:
            digests = checkpoint.event_digest + checkpoint.row_digest
            self._chain = hashlib.sha256(self._chain + digests).digest()
        self.checkpoints += len(rows.checkpoints)
        self.events += sum(map(len, parts))
        first_seq, last_seq = int(parts[0].headers["seq"][0]), int(parts[-1].headers["seq"][-1])
        self._first_wall_ns = self._first_wall_ns or int(parts[0].headers["wall_ns"][0])
        self._last_wall_ns = max(self._last_wall_ns, *(int(part.headers["wall_ns"].max()) for part in parts))
        self._on_batch(last_seq, self.last_seq)
        return ReplayBatch(first_seq, last_seq, rows)
