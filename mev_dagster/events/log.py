"""The event log: its writer, and the readers and checks that go with it.

One process writes (a lock file sees to it), any number read. `append` buffers; an event is acknowledged
once `commit` has returned, or once `durable_seq` has reached its number. A failed write or sync ends the
writer: the kernel may have dropped the pages, so a later sync that succeeds would prove nothing.
Opening the folder again cuts what was torn and goes on after the last whole record.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from mev_dagster.errors import InputError, LogLocked, LogWriteFailed
from mev_dagster.events.disk import Disk
from mev_dagster.events.durable import DURABLE, DurableMark
from mev_dagster.events.encoding import ENCODERS, MISFITS, encode, misfit, too_large
from mev_dagster.events.manifest import Manifest, PrunedFront
from mev_dagster.events.reader import EventLogReader
from mev_dagster.events.record import MAX_RECORD
from mev_dagster.events.recovery import Recovery, TornTail
from mev_dagster.events.segment import MAX_SEGMENT_BYTES
from mev_dagster.events.types import Event
from mev_dagster.events.verify import VerifyReport, verify
from mev_dagster.units import MIB, NS_PER_MS, NS_PER_SECOND

__all__ = ["EventLogReader", "EventLogWriter", "TornTail", "VerifyReport", "verify"]

LOCK = "writer.lock"
_BUFFER_BYTES = MIB


class EventLogWriter:
    """Appends events to the log in `directory`.

    `clock` is a monotonic clock in nanoseconds; it only times the group commit. When a segment is full
    is read from its size and from the events' own wall times, so the same events make the same files.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        segment_bytes: int = 64 * MIB,
        segment_seconds: int = 3600,
        fsync_interval_ms: int = 10,
        disk: Disk | None = None,
    ) -> None:
        if not 0 < segment_bytes <= MAX_SEGMENT_BYTES:
            raise InputError(f"segment_bytes: expected 1 to {MAX_SEGMENT_BYTES}, found {segment_bytes}")
        self.directory = Path(directory)
        self._clock = clock
        self._segment_bytes = segment_bytes
        self._segment_ns = segment_seconds * NS_PER_SECOND
        self._interval_ns = fsync_interval_ms * NS_PER_MS
        self._disk = disk or Disk()
        self._failure = ""
        self._buffer: list[bytes] = []
        self._oldest_ns = 0
        self._descriptor = self._mark_descriptor = -1
        self._durable_next = 0
        self._lock = -1
        try:
            with self._failing_loudly():
                self._disk.make_directory(self.directory)
                self._lock = self._take_lock()
                self._log = Recovery(self.directory, self._disk)
                self._durable_next = self._log.segment.next_seq
                self._mark_descriptor = self._disk.open(self.directory / DURABLE)
                self._open_file()
            self._mark()
            self._sync_mark()
        except BaseException:
            self._release()
            raise

    @property
    def torn_tail(self) -> TornTail | None:
        """Return what opening the log had to cut off, if anything."""
        return self._log.torn_tail

    @property
    def next_seq(self) -> int:
        """Return the number the next event will get."""
        return self._log.segment.next_seq

    @property
    def durable_seq(self) -> int:
        """Return the number of the last acknowledged event, -1 when there is none."""
        return self._durable_next - 1

    @property
    def commit_due(self) -> bool:
        """Say whether buffered events have waited for the group-commit interval."""
        return bool(self._buffer) and self._clock() - self._oldest_ns >= self._interval_ns

    def append(self, event: Event) -> Event:
        """Buffer one event; return it with its number. Commits when the group-commit interval is over."""
        numbered = replace(event, seq=self.next_seq)
        self.append_many((event,))
        return numbered

    def append_many(self, events: Iterable[Event]) -> range:
        """Buffer events in order; return the numbers they got. The fast way in.

        An event that fits no record raises `InputError`; those before it are buffered, it and those
        after it are not.
        """
        self._require_usable()
        first = self.next_seq
        remaining = iter(events)
        while self._fill(remaining):
            if self._log.segment.pending_bytes >= _BUFFER_BYTES:
                self.commit()
        if self.commit_due:
            self.commit()
        return range(first, self.next_seq)

    def _fill(self, events: Iterator[Event]) -> bool:
        """Buffer events until there are none (False), or until buffer or segment has to be seen to (True)."""
        segment, buffer = self._log.segment, self._buffer
        if not buffer:
            self._oldest_ns = self._clock()
        seq, size, wall_ns = segment.next_seq, segment.size, segment.last_wall_ns
        # No event fits a segment that has not begun: the first one begins it.
        segment_full = self._segment_bytes if segment.offsets else 0
        age_full = segment.first_wall_ns + self._segment_ns
        buffer_full = segment.on_disk + _BUFFER_BYTES
        add_record, add_offset = buffer.append, segment.offsets.append
        try:
            for event in events:
                try:
                    record = ENCODERS[type(event)](event, seq)
                except MISFITS as cause:
                    raise misfit(event, cause) from cause
                length = len(record)
                event_ns = event.wall_ns
                if size + length > segment_full or event_ns >= age_full:
                    break
                if length > MAX_RECORD:
                    raise too_large(event, length)
                add_record(record)
                add_offset(size)
                seq += 1
                size += length
                wall_ns = event_ns
                if size >= buffer_full:
                    return True
            else:
                return False
        finally:
            segment.size, segment.last_wall_ns = size, wall_ns
        self._begin_segment(event)
        return True

    def _begin_segment(self, event: Event) -> None:
        """Seal the open segment, if there is something in it, and make `event` the first of the next."""
        record = encode(event, self.next_seq)
        self.seal()
        self._log.segment.add(len(record), event.wall_ns)
        self._buffer.append(record)

    def commit(self) -> int:
        """Write and sync what is buffered; return the last durable number. Acknowledges everything before."""
        self._require_usable()
        if self._buffer:
            data = b"".join(self._buffer)
            segment = self._log.segment
            with self._failing_loudly():
                self._open_file()
                self._disk.write(self._descriptor, data, segment.size - len(data))
                self._disk.sync(self._descriptor)
            segment.written(data)
            self._buffer.clear()
            self._mark()
        return self.durable_seq

    def seal(self) -> None:
        """Commit, close the open segment with its footer, and enter it in the manifest."""
        self.commit()
        segment = self._log.segment
        if not segment.offsets:
            return
        footer = segment.footer()
        encoded = footer.encode()
        with self._failing_loudly():
            self._disk.write(self._descriptor, encoded, segment.size)
            self._disk.sync(self._descriptor)
            self._log.list_sealed(footer, segment.size + len(encoded))
            self._disk.close(self._descriptor)
        self._descriptor = -1
        self._mark()
        self._sync_mark()

    def prune(self, before_wall_ns: int) -> list[str]:
        """Remove sealed segments whose last event is older; return their names. The chain still verifies."""
        self._require_usable()
        manifest = self._log.manifest
        kept = list(manifest.segments)
        removed = []
        while kept and kept[0].last_wall_ns < before_wall_ns:
            removed.append(kept.pop(0))
        if removed:
            count = manifest.pruned.segments + len(removed)
            pruned = PrunedFront(count, removed[-1].last_seq + 1, removed[-1].digest)
            with self._failing_loudly():
                self._log.save(Manifest(tuple(kept), pruned))
                for segment in removed:
                    self._disk.remove(self.directory / segment.name)
                self._disk.sync_directory(self.directory)
        return [segment.name for segment in removed]

    def close(self) -> None:
        """Commit and let go of the log; the open segment stays open for the next writer."""
        try:
            if not self._failure and self._lock >= 0:
                self.commit()
        finally:
            self._release()

    def __enter__(self) -> "EventLogWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_file(self) -> None:
        """Open the segment's file if it is not open and there is or will be something in it."""
        segment = self._log.segment
        if self._descriptor >= 0 or not (segment.on_disk or self._buffer):
            return
        self._descriptor = self._disk.open(self.directory / segment.name)
        if not segment.on_disk:
            self._disk.write(self._descriptor, segment.header.encode(), 0)
            self._disk.sync_directory(self.directory)

    def _mark(self) -> None:
        """Say that everything written so far is acknowledged."""
        segment = self._log.segment
        mark = DurableMark(segment.header.first_seq, segment.on_disk, segment.next_seq)
        with self._failing_loudly():
            self._disk.write(self._mark_descriptor, mark.encode(), 0)
        self._durable_next = segment.next_seq

    def _sync_mark(self) -> None:
        """Make the mark durable, once a segment; in between a power failure may leave an older one."""
        with self._failing_loudly():
            self._disk.sync(self._mark_descriptor)

    @contextmanager
    def _failing_loudly(self) -> Iterator[None]:
        """Turn an `OSError` into `LogWriteFailed` and put the writer out of use."""
        try:
            yield
        except OSError as error:
            self._failure = f"{self.directory}: {error}; last durable event {self.durable_seq}"
            raise LogWriteFailed(self._failure) from error

    def _require_usable(self) -> None:
        if self._failure:
            raise LogWriteFailed(self._failure)
        if self._lock < 0:
            raise LogWriteFailed(f"{self.directory}: this writer has been closed")

    def _take_lock(self) -> int:
        descriptor = os.open(self.directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise LogLocked(f"{self.directory}: process {owner} is writing this log") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return descriptor

    def _release(self) -> None:
        for descriptor in (self._descriptor, self._mark_descriptor, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._mark_descriptor = self._lock = -1
