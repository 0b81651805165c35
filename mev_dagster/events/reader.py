"""Readers of the event log: from any event on, over sealed and growing segments, up to what is durable."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mev_dagster.errors import InputError, LogCorrupt
from mev_dagster.events.batch import RawBatch
from mev_dagster.events.codec import RawEvent
from mev_dagster.events.durable import read_mark
from mev_dagster.events.manifest import Manifest, ManifestFile, SealedSegment, read_manifest
from mev_dagster.events.segment import (
    HEADER_SIZE,
    SegmentHeader,
    read_header,
    read_sealed,
    scan,
    segment_name,
)
from mev_dagster.events.types import Event

_POLL_SECONDS = 0.005
_BATCH_EVENTS = 8192


def _poll() -> None:
    time.sleep(_POLL_SECONDS)


def _never() -> bool:
    return False


def load_sealed(directory: Path, segment: SealedSegment) -> RawBatch:
    """Return a sealed segment's records, proven against its own digest and against the manifest's."""
    try:
        buffer = (directory / segment.name).read_bytes()
    except FileNotFoundError:
        if segment in read_manifest(directory).segments:
            raise LogCorrupt(f"segment {segment.name}: the manifest lists it, the folder lacks it") from None
        raise _pruned(segment.first_seq, segment.last_seq + 1) from None
    if len(buffer) != segment.bytes:
        raise LogCorrupt(
            f"segment {segment.name}: offset {len(buffer)}: expected {segment.bytes} bytes, "
            f"found {len(buffer)}"
        )
    footer, batch = read_sealed(buffer, segment.name)
    header = read_header(buffer, segment.name)
    stated = (footer.digest.hex(), footer.first_seq, footer.last_seq, header.previous_digest.hex())
    listed = (segment.digest, segment.first_seq, segment.last_seq, segment.previous_digest)
    if stated != listed:
        raise LogCorrupt(f"segment {segment.name}: offset 0: it is not the segment the manifest lists")
    return batch


def _pruned(seq: int, first_kept: int) -> InputError:
    return InputError(f"event {seq}: retention has removed the events before {first_kept}")


class LogCursor:
    """A place in the log. `batches` yields what is durable from there on and moves behind it."""

    def __init__(self, directory: Path, next_seq: int = 0) -> None:
        self.directory = directory
        self.next_seq = next_seq
        self._manifest_file = ManifestFile(directory)
        # Where to go on in the open segment: the event at `_open_offset` is `_open_seq`.
        self._open_segment = -1
        self._open_seq = -1
        self._open_offset = HEADER_SIZE

    def batches(self) -> Iterator[RawBatch]:
        """Yield every durable event from `next_seq` on in batches, then end."""
        mark = read_mark(self.directory)
        if mark is not None and mark.next_seq == self.next_seq > 0:
            return
        manifest = self._manifest()
        while True:
            for segment in manifest.segments:
                if segment.last_seq >= self.next_seq:
                    yield from self._pieces(load_sealed(self.directory, segment), segment.first_seq)
            mark = read_mark(self.directory)
            if mark is None or mark.first_seq <= manifest.next_seq:
                break
            manifest = self._manifest()  # a segment was sealed while its predecessor was read
        if mark is None:
            yield from self._open(manifest, None)
        elif mark.first_seq == manifest.next_seq and mark.next_seq > self.next_seq:
            yield from self._open(manifest, mark.offset)

    def available(self) -> Iterator[RawEvent]:
        """Yield the same one by one; a caller that stops half-way goes on behind what it was given."""
        for batch in self.batches():
            for raw in batch.raw_events():
                self.next_seq = raw.seq + 1
                yield raw

    def _manifest(self) -> Manifest:
        manifest = self._manifest_file.read()
        first = manifest.pruned.next_seq
        if 0 < self.next_seq < first:
            raise _pruned(self.next_seq, first)
        self.next_seq = max(self.next_seq, first)
        return manifest

    def _pieces(self, batch: RawBatch, first_seq: int) -> Iterator[RawBatch]:
        """Yield the part of a batch from `next_seq` on, in pieces that keep memory flat."""
        start = max(0, self.next_seq - first_seq)
        for index in range(start, len(batch), _BATCH_EVENTS):
            piece = batch.piece(index, index + _BATCH_EVENTS)
            self.next_seq = first_seq + index + len(piece)
            yield piece

    def _open(self, manifest: Manifest, end: int | None) -> Iterator[RawBatch]:
        """Yield from the open segment up to `end`, or up to the last whole record without a mark."""
        first = manifest.next_seq
        path = self.directory / segment_name(first)
        if not path.exists():
            return
        if self._open_segment != first:
            self._open_segment = self._open_seq = first
            self._open_offset = HEADER_SIZE
        start = self._open_offset
        with path.open("rb") as file:
            header = read_header(file.read(HEADER_SIZE), path.name)
            file.seek(start)
            buffer = file.read() if end is None else file.read(max(0, end - start))
        if header != SegmentHeader(first, manifest.digest):
            raise LogCorrupt(f"segment {path.name}: offset 0: it does not follow the segment before it")
        found = scan(buffer, 0, len(buffer), self._open_seq)
        if end is not None and start + found.end != end:
            raise LogCorrupt(
                f"segment {path.name}: offset {start + found.end}: event {found.next_seq} was "
                "acknowledged and is damaged"
            )
        yield from self._pieces(found.batch(buffer), self._open_seq)
        self._open_seq, self._open_offset = found.next_seq, start + found.end


class EventLogReader:
    """Reads the log in `directory`; any number of readers may run beside the writer."""

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        if not self.directory.is_dir():
            raise InputError(f"{self.directory}: no such event log")
        self._manifest_file = ManifestFile(self.directory)

    @property
    def first_seq(self) -> int:
        """Return the number of the first event that retention has kept."""
        return self._manifest_file.read().pruned.next_seq

    @property
    def last_seq(self) -> int:
        """Return the number of the last durable event, -1 when there is none."""
        mark = read_mark(self.directory)
        sealed = self._manifest_file.read().next_seq
        if mark is not None:
            return max(mark.next_seq, sealed) - 1
        cursor = LogCursor(self.directory, sealed)
        for _ in cursor.batches():
            pass
        return cursor.next_seq - 1

    def cursor(self, from_seq: int = 0) -> LogCursor:
        """Return a cursor for callers that poll, such as a task of an event loop."""
        return LogCursor(self.directory, from_seq)

    def read(
        self,
        from_seq: int = 0,
        *,
        follow: bool = False,
        stop: Callable[[], bool] = _never,
        wait: Callable[[], None] = _poll,
    ) -> Iterator[Event]:
        """Yield events from `from_seq` on; with `follow`, wait for more until `stop` says so."""
        for batch in self.batches(from_seq, follow=follow, stop=stop, wait=wait):
            yield from batch.events()

    def iter_raw(
        self,
        from_seq: int = 0,
        *,
        follow: bool = False,
        stop: Callable[[], bool] = _never,
        wait: Callable[[], None] = _poll,
    ) -> Iterator[RawEvent]:
        """Yield events with their payloads unparsed."""
        for batch in self.batches(from_seq, follow=follow, stop=stop, wait=wait):
            yield from batch.raw_events()

    def batches(
        self,
        from_seq: int = 0,
        *,
        follow: bool = False,
        stop: Callable[[], bool] = _never,
        wait: Callable[[], None] = _poll,
    ) -> Iterator[RawBatch]:
        """Yield events as columns: the fast way out."""
        cursor = self.cursor(from_seq)
        while True:
            yield from cursor.batches()
            if not follow or stop():
                return
            wait()
