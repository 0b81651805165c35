"""The writer of the event log: append, group commit, seal, recover, prune.

One process writes (a lock file sees to it), any number read. `append` buffers; an event is acknowledged
once `commit` has returned, or once `durable_seq` has reached its number. A failed write or sync ends the
writer: the kernel may have dropped the pages, so a second sync that succeeds would prove nothing.
Opening the folder again cuts what was torn and goes on after the last whole record.
"""

import fcntl
import hashlib
import os
import time
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from mev_dagster.errors import InputError, LogCorrupt, LogLocked, LogWriteFailed
from mev_dagster.events.codec import encode, raw_at
from mev_dagster.events.disk import Disk
from mev_dagster.events.durable import DURABLE, DurableMark, read_mark
from mev_dagster.events.manifest import MANIFEST, Manifest, Pruned, SealedSegment, read_manifest
from mev_dagster.events.reader import EventLogReader
from mev_dagster.events.segment import (
    HEADER_SIZE,
    MAX_SEGMENT_BYTES,
    Footer,
    Scan,
    SegmentHeader,
    check_digest,
    footer_starts_at,
    holds_later_record,
    read_footer,
    read_header,
    scan,
    segment_name,
    segment_paths,
)
from mev_dagster.events.types import Event
from mev_dagster.events.verify import VerifyReport, verify

__all__ = ["EventLogReader", "EventLogWriter", "TornTail", "VerifyReport", "verify"]

LOCK = "writer.lock"
_BUFFER_BYTES = 1024 * 1024
_NS_PER_MS = 1_000_000
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class TornTail:
    """What a crash left behind the last whole record: cut off, and kept in the file `kept_in`."""

    segment: str
    offset: int
    bytes: int
    next_seq: int
    kept_in: str


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
        segment_bytes: int = 64 * 1024 * 1024,
        segment_seconds: int = 3600,
        fsync_interval_ms: int = 10,
        disk: Disk | None = None,
    ) -> None:
        if not 0 < segment_bytes <= MAX_SEGMENT_BYTES:
            raise InputError(f"segment_bytes: expected 1 to {MAX_SEGMENT_BYTES}, found {segment_bytes}")
        self.directory = Path(directory)
        self.torn_tail: TornTail | None = None
        self._clock = clock
        self._segment_bytes = segment_bytes
        self._segment_ns = segment_seconds * _NS_PER_S
        self._interval_ns = fsync_interval_ms * _NS_PER_MS
        self._disk = disk or Disk()
        self._failure = ""
        self._descriptor = -1
        self._mark_descriptor = -1
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = self._take_lock()
        try:
            self._recover()
        except BaseException:
            self._release()
            raise

    # What callers ask

    @property
    def next_seq(self) -> int:
        """Return the number the next event will get."""
        return self._next_seq

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
        numbered = replace(event, seq=self._next_seq)
        self.append_many((event,))
        return numbered

    def append_many(self, events: Iterable[Event]) -> range:
        """Buffer events in order; return the numbers they got. The fast way in."""
        self._require_usable()
        first = self._next_seq
        for event in events:
            record = encode(event, self._next_seq)
            if self._offsets and self._is_full(len(record), event.wall_ns):
                self.seal()
            if not self._offsets:
                self._first_wall_ns = event.wall_ns
            if not self._buffer:
                self._oldest_ns = self._clock()
            self._offsets.append(self._size)
            self._buffer.append(record)
            self._size += len(record)
            self._buffered_bytes += len(record)
            self._last_wall_ns = event.wall_ns
            self._next_seq += 1
            if self._buffered_bytes >= _BUFFER_BYTES:
                self.commit()
        if self.commit_due:
            self.commit()
        return range(first, self._next_seq)

    def commit(self) -> int:
        """Write and sync what is buffered; return the last durable number. Acknowledges everything before."""
        self._require_usable()
        if self._buffer:
            data = b"".join(self._buffer)
            with self._failing_loudly():
                if self._descriptor < 0:
                    self._start_segment()
                self._disk.write(self._descriptor, data, self._size - len(data))
                self._disk.sync(self._descriptor)
            self._sha.update(data)
            self._buffer.clear()
            self._buffered_bytes = 0
            self._mark()
        return self.durable_seq

    def seal(self) -> None:
        """Commit, close the open segment with its footer, and enter it in the manifest."""
        self.commit()
        if not self._offsets:
            return
        footer = Footer(
            first_seq=self._first_seq,
            last_seq=self._next_seq - 1,
            first_wall_ns=self._first_wall_ns,
            last_wall_ns=self._last_wall_ns,
            footer_offset=self._size,
            digest=self._sha.digest(),
            offsets=self._offsets,
        )
        encoded = footer.encode()
        with self._failing_loudly():
            self._disk.write(self._descriptor, encoded, self._size)
            self._disk.sync(self._descriptor)
            self._enter(footer, self._size + len(encoded))
            self._disk.close(self._descriptor)
        self._expect_segment()

    def prune(self, before_wall_ns: int) -> list[str]:
        """Remove sealed segments whose last event is older; return their names. The chain still verifies."""
        self._require_usable()
        kept = list(self._manifest.segments)
        removed = []
        while kept and kept[0].last_wall_ns < before_wall_ns:
            removed.append(kept.pop(0))
        if removed:
            last = removed[-1]
            pruned = Pruned(self._manifest.pruned.segments + len(removed), last.last_seq + 1, last.digest)
            with self._failing_loudly():
                self._save(Manifest(tuple(kept), pruned))
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

    # Segments

    def _is_full(self, record_bytes: int, wall_ns: int) -> bool:
        return (
            self._size + record_bytes > self._segment_bytes
            or wall_ns - self._first_wall_ns >= self._segment_ns
        )

    def _expect_segment(self) -> None:
        """Prepare for a segment that is created with the first commit into it."""
        header = SegmentHeader(self._manifest.next_seq, self._manifest.digest).encode()
        self._first_seq: int = self._manifest.next_seq
        self._next_seq: int = self._first_seq
        self._durable_next: int = self._first_seq
        self._descriptor = -1
        self._offsets = array("I")
        self._buffer: list[bytes] = []
        self._buffered_bytes = 0
        self._size: int = HEADER_SIZE
        self._sha: hashlib._Hash = hashlib.sha256(header)
        self._first_wall_ns = self._last_wall_ns = self._oldest_ns = 0

    def _start_segment(self) -> None:
        self._descriptor = self._disk.open(self.directory / segment_name(self._first_seq))
        header = SegmentHeader(self._first_seq, self._manifest.digest).encode()
        self._disk.write(self._descriptor, header, 0)
        self._disk.sync_directory(self.directory)

    def _mark(self) -> None:
        """Say that everything written so far is acknowledged."""
        mark = DurableMark(self._first_seq, self._size, self._next_seq)
        with self._failing_loudly():
            self._disk.write(self._mark_descriptor, mark.encode(), 0)
        self._durable_next = self._next_seq

    def _enter(self, footer: Footer, size: int) -> None:
        sealed = SealedSegment(
            name=segment_name(footer.first_seq),
            first_seq=footer.first_seq,
            last_seq=footer.last_seq,
            first_wall_ns=footer.first_wall_ns,
            last_wall_ns=footer.last_wall_ns,
            bytes=size,
            digest=footer.digest.hex(),
            previous_digest=self._manifest.digest.hex(),
        )
        self._save(replace(self._manifest, segments=(*self._manifest.segments, sealed)))

    def _save(self, manifest: Manifest) -> None:
        self._disk.replace(self.directory / MANIFEST, manifest.encode())
        self._manifest = manifest

    # Recovery

    def _recover(self) -> None:
        """Check what an earlier writer left, finish a seal it began, cut its torn tail."""
        self._manifest = read_manifest(self.directory)
        listed = {segment.name for segment in self._manifest.segments}
        for segment in self._manifest.segments:
            self._check_size(segment)
        mark = read_mark(self.directory)
        self._mark_descriptor = self._disk.open(self.directory / DURABLE)
        self._expect_segment()
        for path in segment_paths(self.directory):
            if path.name in listed:
                continue
            if path.name < segment_name(self._manifest.pruned.next_seq):
                self._disk.remove(path)  # a prune that crashed between manifest and removal
            elif path.name == segment_name(self._manifest.next_seq) and self._descriptor < 0:
                self._resume(path, mark)
            else:
                raise LogCorrupt(
                    f"segment {path.name}: offset 0: the log continues at event {self._manifest.next_seq}"
                )
        if mark and mark.next_seq > self._next_seq:
            raise LogCorrupt(
                f"segment {segment_name(mark.first_seq)}: acknowledged events {self._next_seq} to "
                f"{mark.next_seq - 1} are missing"
            )
        self._mark()

    def _check_size(self, segment: SealedSegment) -> None:
        path = self.directory / segment.name
        size = path.stat().st_size if path.exists() else 0
        if size != segment.bytes:
            raise LogCorrupt(
                f"segment {segment.name}: offset {size}: expected {segment.bytes} bytes, found {size}"
            )

    def _resume(self, path: Path, mark: DurableMark | None) -> None:
        """Go on with the segment that was open, or enter one that was sealed but not listed."""
        buffer = path.read_bytes()
        acknowledged = mark.offset if mark and mark.first_seq == self._manifest.next_seq else 0
        if len(buffer) < HEADER_SIZE and not acknowledged:
            self._cut(path, buffer, 0, self._manifest.next_seq)
            return
        header = read_header(buffer, path.name)
        if header != SegmentHeader(self._manifest.next_seq, self._manifest.digest):
            raise LogCorrupt(f"segment {path.name}: offset 0: it does not follow the segment before it")
        found = scan(buffer, HEADER_SIZE, len(buffer), header.first_seq)
        if footer_starts_at(buffer, found.end):
            try:
                footer = read_footer(buffer, path.name)
                check_digest(buffer, footer, path.name)
            except LogCorrupt:
                pass  # a seal that crashed half-way: the footer is the torn tail
            else:
                self._enter(footer, len(buffer))
                self._expect_segment()
                return
        if found.end < acknowledged:
            raise LogCorrupt(
                f"segment {path.name}: offset {found.end}: event {found.next_seq} was acknowledged "
                "and is damaged"
            )
        if mark is None and holds_later_record(buffer, found.end, found.next_seq):
            raise LogCorrupt(f"segment {path.name}: offset {found.end}: event {found.next_seq} is damaged")
        self._descriptor = self._disk.open(path)
        if found.end < len(buffer):
            self._cut(path, buffer, found.end, found.next_seq)
        self._continue(buffer, found)

    def _cut(self, path: Path, buffer: bytes, offset: int, next_seq: int) -> None:
        """Move a torn tail out of the segment, and remember it for whoever opened the log."""
        kept = path.with_name(f"{path.stem}-{offset}.torn")
        self._disk.replace(kept, buffer[offset:])
        if offset == 0:
            self._disk.remove(path)
        else:
            self._disk.truncate(self._descriptor, offset)
            self._disk.sync(self._descriptor)
        self._disk.sync_directory(self.directory)
        self.torn_tail = TornTail(path.name, offset, len(buffer) - offset, next_seq, kept.name)

    def _continue(self, buffer: bytes, found: Scan) -> None:
        self._offsets = found.offsets
        self._size = found.end
        self._next_seq = found.next_seq
        self._sha = hashlib.sha256(memoryview(buffer)[: found.end])
        if found.offsets:
            self._first_wall_ns = raw_at(buffer, found.offsets[0]).wall_ns
            self._last_wall_ns = raw_at(buffer, found.offsets[-1]).wall_ns

    # Failure and locking

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

    def _require_usable(self) -> None:
        if self._failure:
            raise LogWriteFailed(self._failure)
        if self._lock < 0:
            raise LogWriteFailed(f"{self.directory}: this writer has been closed")

    def _failing_loudly(self) -> "_FailLoudly":
        return _FailLoudly(self)


class _FailLoudly:
    """Turns an `OSError` into `LogWriteFailed` and puts the writer out of use."""

    def __init__(self, writer: EventLogWriter) -> None:
        self._writer = writer

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            self._writer._failure = (
                f"{self._writer.directory}: {error}; last durable event {self._writer.durable_seq}"
            )
            raise LogWriteFailed(self._writer._failure) from error
