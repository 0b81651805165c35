"""What a new writer finds in the folder: check it, finish a seal that was begun, cut a torn tail."""

from dataclasses import dataclass, replace
from pathlib import Path

from mev_dagster.errors import LogCorrupt
from mev_dagster.events.disk import Disk
from mev_dagster.events.durable import DurableMark, read_mark
from mev_dagster.events.manifest import MANIFEST, Manifest, SealedSegment, read_manifest
from mev_dagster.events.open_segment import OpenSegment
from mev_dagster.events.segment import (
    HEADER_SIZE,
    Footer,
    SegmentHeader,
    footer_starts_at,
    next_record,
    read_header,
    read_sealed,
    scan,
    segment_name,
    segment_paths,
)


@dataclass(frozen=True, slots=True)
class TornTail:
    """What a crash left behind the last whole record: cut off, and kept in the file `kept_in`."""

    segment: str
    offset: int
    bytes: int
    next_seq: int
    kept_in: str


class Recovery:
    """The state of a log that was found: `manifest`, the open `segment`, and the tail that was torn."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        self.directory = directory
        self.torn_tail: TornTail | None = None
        self._disk = disk
        self.manifest = read_manifest(directory)
        self.mark = _mark_if_whole(directory)
        for listed in self.manifest.segments:
            self._check_listed(listed)
        self.segment = self._expected()
        self._look_at_unlisted()
        if self.mark and self.mark.next_seq > self.segment.next_seq:
            raise LogCorrupt(
                f"segment {segment_name(self.mark.first_seq)}: acknowledged events "
                f"{self.segment.next_seq} to {self.mark.next_seq - 1} are missing"
            )

    def _expected(self) -> OpenSegment:
        return OpenSegment(SegmentHeader(self.manifest.next_seq, self.manifest.digest))

    def _check_listed(self, segment: SealedSegment) -> None:
        path = self.directory / segment.name
        size = path.stat().st_size if path.exists() else 0
        if size != segment.bytes:
            raise LogCorrupt(
                f"segment {segment.name}: offset {size}: expected {segment.bytes} bytes, found {size}"
            )

    def _look_at_unlisted(self) -> None:
        listed = {segment.name for segment in self.manifest.segments}
        for path in segment_paths(self.directory):
            if path.name in listed:
                continue
            if path.name < segment_name(self.manifest.pruned.next_seq):
                self._disk.remove(path)  # a prune that crashed between manifest and removal
            elif path.name == self.segment.name and not self.segment.on_disk:
                self._resume(path)
            else:
                raise LogCorrupt(
                    f"segment {path.name}: offset 0: the log continues at event {self.segment.next_seq}"
                )

    def _resume(self, path: Path) -> None:
        """Take up the segment that was open, or list one that was sealed but not yet listed."""
        buffer = path.read_bytes()
        expected = self.segment.header
        mark = self.mark
        acknowledged = mark.offset if mark and mark.first_seq == expected.first_seq else 0
        if not acknowledged and self._never_began(buffer, path.name):
            self._cut(path, buffer, 0, expected.first_seq)
            return
        if read_header(buffer, path.name) != expected:
            raise LogCorrupt(f"segment {path.name}: offset 0: it does not follow the segment before it")
        found = scan(buffer, HEADER_SIZE, len(buffer), expected.first_seq)
        if footer_starts_at(buffer, found.end):
            try:
                footer, _ = read_sealed(buffer, path.name)
            except LogCorrupt:
                pass  # a seal that crashed half-way: its footer is the torn tail
            else:
                self._write_again(path, buffer, footer.footer_offset)
                self.list_sealed(footer, len(buffer))
                return
        if found.end < acknowledged:
            raise LogCorrupt(
                f"segment {path.name}: offset {found.end}: event {found.next_seq} was acknowledged "
                "and is damaged"
            )
        if mark is None and next_record(buffer, found.end, found.next_seq) is not None:
            raise LogCorrupt(f"segment {path.name}: offset {found.end}: event {found.next_seq} is damaged")
        if found.end < len(buffer):
            self._cut(path, buffer, found.end, found.next_seq)
        self._write_again(path, buffer[: found.end], acknowledged)
        self.segment = OpenSegment.resumed(expected, buffer, found)

    @staticmethod
    def _never_began(buffer: bytes, name: str) -> bool:
        """Say whether a crash left a file without a header, and no record in it."""
        try:
            read_header(buffer, name)
        except LogCorrupt:
            return next_record(buffer, 0, -1) is None
        return False

    def _write_again(self, path: Path, whole: bytes, acknowledged: int) -> None:
        """Write and sync whole records that were never acknowledged.

        The last writer's sync may have failed; then they are in the page cache, clean, and not on the disk.
        """
        if len(whole) > acknowledged:
            descriptor = self._disk.open(path)
            try:
                self._disk.write(descriptor, whole[acknowledged:], acknowledged)
                self._disk.sync(descriptor)
            finally:
                self._disk.close(descriptor)

    def list_sealed(self, footer: Footer, size: int) -> None:
        """Enter a sealed segment in the manifest and expect the next one."""
        sealed = SealedSegment(
            name=segment_name(footer.first_seq),
            first_seq=footer.first_seq,
            last_seq=footer.last_seq,
            first_wall_ns=footer.first_wall_ns,
            last_wall_ns=footer.last_wall_ns,
            bytes=size,
            digest=footer.digest.hex(),
            previous_digest=self.manifest.digest.hex(),
        )
        self.save(replace(self.manifest, segments=(*self.manifest.segments, sealed)))
        self.segment = self._expected()

    def save(self, manifest: Manifest) -> None:
        """Make `manifest` the log's."""
        self._disk.replace(self.directory / MANIFEST, manifest.encode())
        self.manifest = manifest

    def _cut(self, path: Path, buffer: bytes, offset: int, next_seq: int) -> None:
        """Move a torn tail out of the segment, and remember it for whoever opened the log."""
        kept = path.with_name(f"{path.stem}-{offset}.torn")
        self._disk.replace(kept, buffer[offset:])
        if offset == 0:
            self._disk.remove(path)
        else:
            descriptor = self._disk.open(path)
            try:
                self._disk.truncate(descriptor, offset)
                self._disk.sync(descriptor)
            finally:
                self._disk.close(descriptor)
        self._disk.sync_directory(self.directory)
        self.torn_tail = TornTail(path.name, offset, len(buffer) - offset, next_seq, kept.name)


def _mark_if_whole(directory: Path) -> DurableMark | None:
    """Return the mark; None also for one that a power failure has spoiled.

    Then nothing is known to be acknowledged, and damage that intact records follow stops the recovery.
    """
    try:
        return read_mark(directory)
    except LogCorrupt:
        return None
