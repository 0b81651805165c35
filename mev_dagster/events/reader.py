"""Readers of the event log: from any event on, over sealed and growing segments, up to what is durable."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mev_dagster.errors import InputError, LogCorrupt
from mev_dagster.events.codec import RawEvent, decode
from mev_dagster.events.durable import read_mark
from mev_dagster.events.manifest import Manifest, SealedSegment, read_manifest
from mev_dagster.events.segment import (
    HEADER_SIZE,
    SegmentHeader,
    check_digest,
    raw_events,
    read_footer,
    read_header,
    scan,
    segment_name,
)
from mev_dagster.events.types import Event

_POLL_SECONDS = 0.005


def load_sealed(directory: Path, segment: SealedSegment) -> "tuple[bytes, list[int]]":
    """Return a sealed segment's bytes, proven against its own digest and the manifest's, and its offsets."""
    try:
        buffer = (directory / segment.name).read_bytes()
    except FileNotFoundError:
        raise LogCorrupt(f"segment {segment.name}: the manifest lists it, the folder lacks it") from None
    if len(buffer) != segment.bytes:
        raise LogCorrupt(
            f"segment {segment.name}: offset {len(buffer)}: expected {segment.bytes} bytes, "
            f"found {len(buffer)}"
        )
    footer = read_footer(buffer, segment.name)
    check_digest(buffer, footer, segment.name)
    header = read_header(buffer, segment.name)
    stated = (footer.digest.hex(), footer.first_seq, footer.last_seq, header.previous_digest.hex())
    listed = (segment.digest, segment.first_seq, segment.last_seq, segment.previous_digest)
    if stated != listed:
        raise LogCorrupt(f"segment {segment.name}: offset 0: it is not the segment the manifest lists")
    return buffer, list(footer.offsets)


class LogCursor:
    """A place in the log. `available` yields what is durable from there on and moves behind it."""

    def __init__(self, directory: Path, next_seq: int = 0) -> None:
        self.directory = directory
        self.next_seq = next_seq
        self._open_segment = -1
        self._open_offset = HEADER_SIZE

    def available(self) -> Iterator[RawEvent]:
        """Yield every durable event from `next_seq` on, then end."""
        manifest = self._manifest()
        while True:
            for segment in manifest.segments:
                if segment.last_seq >= self.next_seq:
                    yield from self._sealed(segment)
            mark = read_mark(self.directory)
            if mark is None or mark.first_seq <= manifest.next_seq:
                break
            manifest = self._manifest()  # a segment was sealed while its predecessor was read
        if mark is None:
            yield from self._open(manifest, None)
        elif mark.first_seq == manifest.next_seq and mark.next_seq > self.next_seq:
            yield from self._open(manifest, mark.offset)

    def _manifest(self) -> Manifest:
        manifest = read_manifest(self.directory)
        first = manifest.pruned.next_seq
        if 0 < self.next_seq < first:
            raise InputError(f"event {self.next_seq}: retention has removed the events before {first}")
        self.next_seq = max(self.next_seq, first)
        return manifest

    def _sealed(self, segment: SealedSegment) -> Iterator[RawEvent]:
        buffer, offsets = load_sealed(self.directory, segment)
        for raw in raw_events(buffer, offsets, self.next_seq - segment.first_seq):
            self.next_seq = raw.seq + 1
            yield raw

    def _open(self, manifest: Manifest, end: int | None) -> Iterator[RawEvent]:
        """Yield from the open segment up to `end`, or up to the last whole record without a mark."""
        path = self.directory / segment_name(manifest.next_seq)
        if not path.exists():
            return
        if self._open_segment != manifest.next_seq:
            self._open_segment, self._open_offset = manifest.next_seq, HEADER_SIZE
        with path.open("rb") as file:
            header = read_header(file.read(HEADER_SIZE), path.name)
            file.seek(self._open_offset)
            buffer = file.read() if end is None else file.read(max(0, end - self._open_offset))
        if header != SegmentHeader(manifest.next_seq, manifest.digest):
            raise LogCorrupt(f"segment {path.name}: offset 0: it does not follow the segment before it")
        at_start = self._open_offset == HEADER_SIZE
        found = scan(buffer, 0, len(buffer), manifest.next_seq if at_start else self.next_seq)
        if end is not None and self._open_offset + found.end != end:
            raise LogCorrupt(
                f"segment {path.name}: offset {self._open_offset + found.end}: event {found.next_seq} was "
                "acknowledged and is damaged"
            )
        self._open_offset += found.end
        skipped = max(0, self.next_seq - manifest.next_seq) if at_start else 0
        for raw in raw_events(buffer, list(found.offsets), skipped):
            self.next_seq = raw.seq + 1
            yield raw


class EventLogReader:
    """Reads the log in `directory`; any number of readers may run beside the writer."""

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        if not self.directory.is_dir():
            raise InputError(f"{self.directory}: no such event log")

    @property
    def first_seq(self) -> int:
        """Return the number of the first event that retention has kept."""
        return read_manifest(self.directory).pruned.next_seq

    @property
    def last_seq(self) -> int:
        """Return the number of the last durable event, -1 when there is none."""
        mark = read_mark(self.directory)
        sealed = read_manifest(self.directory).next_seq
        if mark is not None:
            return max(mark.next_seq, sealed) - 1
        cursor = LogCursor(self.directory, sealed)
        for _ in cursor.available():
            pass
        return cursor.next_seq - 1

    def read(
        self,
        from_seq: int = 0,
        *,
        follow: bool = False,
        stop: Callable[[], bool] = lambda: False,
        wait: Callable[[], None] = lambda: time.sleep(_POLL_SECONDS),
    ) -> Iterator[Event]:
        """Yield events from `from_seq` on; with `follow`, wait for more until `stop` says so."""
        for raw in self.iter_raw(from_seq, follow=follow, stop=stop, wait=wait):
            yield decode(raw)

    def iter_raw(
        self,
        from_seq: int = 0,
        *,
        follow: bool = False,
        stop: Callable[[], bool] = lambda: False,
        wait: Callable[[], None] = lambda: time.sleep(_POLL_SECONDS),
    ) -> Iterator[RawEvent]:
        """Yield events with their payloads unparsed: the fast way out."""
        cursor = LogCursor(self.directory, from_seq)
        while True:
            yield from cursor.available()
            if not follow or stop():
                return
            wait()
