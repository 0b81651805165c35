"""Integrity of a whole log: every digest, checksum, sequence number and link, and what is damaged where."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from mev_dagster.errors import InputError, LogCorrupt
from mev_dagster.events.batch import RawBatch
from mev_dagster.events.codec import decode, raw_at
from mev_dagster.events.durable import DURABLE, DurableMark, read_mark
from mev_dagster.events.manifest import MANIFEST, Manifest, SealedSegment, read_manifest
from mev_dagster.events.segment import (
    HEADER_SIZE,
    Footer,
    SegmentHeader,
    damaged_records,
    footer_starts_at,
    next_record,
    read_footer,
    read_header,
    read_sealed,
    scan,
    segment_name,
    segment_paths,
)

OnSegment: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing wrong: the file, the byte where it starts, the event it hits (-1: none in particular)."""

    segment: str
    offset: int
    seq: int
    detail: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What `verify` found. `torn_bytes` lie behind the last acknowledged event and are no damage."""

    segments: int
    events: int
    ok: bool
    errors: tuple[Damage, ...]
    first_seq: int
    last_seq: int
    digest: bytes
    torn_bytes: int


class _Verifier:
    def __init__(self, directory: Path, on_segment: OnSegment) -> None:
        self.directory = directory
        self.on_segment = on_segment
        self.errors: list[Damage] = []
        self.segments = self.events = self.torn_bytes = 0

    def damage(self, segment: str, offset: int, seq: int, detail: str) -> None:
        self.errors.append(Damage(segment, offset, seq, detail))

    def run(self) -> VerifyReport:
        mark = self._mark()
        manifest = self._manifest()
        if manifest is None:
            return self._report(Manifest(), -1)
        for segment in manifest.segments:
            self.segments += 1
            self._sealed(segment)
            self.on_segment(self.segments, len(manifest.segments))
        next_seq = self._open(manifest, mark)
        self._strangers(manifest)
        if mark and mark.next_seq > next_seq:
            self.damage(
                segment_name(mark.first_seq),
                0,
                next_seq,
                f"acknowledged events {next_seq} to {mark.next_seq - 1} are missing",
            )
        return self._report(manifest, next_seq - 1)

    def _report(self, manifest: Manifest, last_seq: int) -> VerifyReport:
        return VerifyReport(
            segments=self.segments,
            events=self.events,
            ok=not self.errors,
            errors=tuple(self.errors),
            first_seq=manifest.pruned.next_seq,
            last_seq=last_seq,
            digest=manifest.digest,
            torn_bytes=self.torn_bytes,
        )

    def _mark(self) -> DurableMark | None:
        try:
            mark = read_mark(self.directory)
        except LogCorrupt as error:
            self.damage(DURABLE, 0, -1, str(error))
            return None
        if mark is None and segment_paths(self.directory):
            self.damage(DURABLE, 0, -1, "the durable mark is missing")
        return mark

    def _manifest(self) -> Manifest | None:
        try:
            return read_manifest(self.directory)
        except LogCorrupt as error:
            self.damage(MANIFEST, 0, -1, str(error))
            return None

    def _sealed(self, segment: SealedSegment) -> None:
        path = self.directory / segment.name
        if not path.exists():
            self.damage(segment.name, 0, segment.first_seq, "listed in the manifest, absent from the folder")
            return
        buffer = path.read_bytes()
        try:
            footer = read_footer(buffer, segment.name)
        except LogCorrupt as error:
            self._without_footer(segment, buffer, str(error))
            return
        before = len(self.errors)
        for offset, seq in damaged_records(buffer, footer):
            self.damage(segment.name, offset, seq, "the record is damaged")
        self._agreement(segment, buffer, footer)
        if len(self.errors) > before:
            self.events += len(footer.offsets)
            return
        try:
            _, batch = read_sealed(buffer, segment.name)
        except LogCorrupt as error:
            self.damage(segment.name, 0, -1, str(error))
        else:
            self._decode(segment.name, batch)

    def _agreement(self, segment: SealedSegment, buffer: bytes, footer: Footer) -> None:
        """Compare header, footer, digest and manifest with each other."""
        try:
            header = read_header(buffer, segment.name)
            if header.previous_digest.hex() != segment.previous_digest:
                self.damage(segment.name, 0, -1, "the header names another predecessor than the manifest")
        except LogCorrupt as error:
            self.damage(segment.name, 0, -1, str(error))
        if (
            footer.digest.hex(),
            footer.first_seq,
            footer.last_seq,
            footer.first_wall_ns,
            footer.last_wall_ns,
            len(buffer),
        ) != (
            segment.digest,
            segment.first_seq,
            segment.last_seq,
            segment.first_wall_ns,
            segment.last_wall_ns,
            segment.bytes,
        ):
            self.damage(segment.name, 0, -1, "the manifest lists another segment under this name")

    def _without_footer(self, segment: SealedSegment, buffer: bytes, detail: str) -> None:
        """Say where the records of a segment with a broken footer end."""
        found = scan(buffer, HEADER_SIZE, len(buffer), segment.first_seq)
        self.events += len(found.offsets)
        if found.next_seq <= segment.last_seq:
            self.damage(segment.name, found.end, found.next_seq, "the record is damaged or missing")
        self.damage(segment.name, found.end, -1, detail)

    def _open(self, manifest: Manifest, mark: DurableMark | None) -> int:
        """Check the segment that is not sealed; return the number after its last whole record."""
        path = self.directory / segment_name(manifest.next_seq)
        if not path.exists():
            return manifest.next_seq
        self.segments += 1
        buffer = path.read_bytes()
        acknowledged = mark.offset if mark and mark.first_seq == manifest.next_seq else 0
        try:
            header = read_header(buffer, path.name)
        except LogCorrupt as error:
            if not acknowledged and mark and len(buffer) < HEADER_SIZE:
                self.torn_bytes = len(buffer)
            else:
                self.damage(path.name, 0, manifest.next_seq, str(error))
            return manifest.next_seq
        if header != SegmentHeader(manifest.next_seq, manifest.digest):
            self.damage(path.name, 0, manifest.next_seq, "it does not follow the segment before it")
        found = scan(buffer, HEADER_SIZE, len(buffer), manifest.next_seq)
        self._decode(path.name, found.batch(buffer))
        if self._sealed_unlisted(path, buffer, found.end):
            return found.next_seq
        if found.end < acknowledged:
            self.damage(path.name, found.end, found.next_seq, "an acknowledged record is damaged")
            return self._after_damage(path.name, buffer, found.end, found.next_seq)
        if found.end < len(buffer):
            self.torn_bytes = len(buffer) - found.end
            if mark is None:
                self.damage(path.name, found.end, found.next_seq, "bytes that make no whole record")
        return found.next_seq

    def _after_damage(self, name: str, buffer: bytes, offset: int, seq: int) -> int:
        """Look for records behind a damaged one, so that one flip is reported as one."""
        start = next_record(buffer, offset + 1, seq)
        if start is None:
            return seq + 1
        found = scan(buffer, start, len(buffer), raw_at(buffer, start).seq)
        self._decode(name, found.batch(buffer))
        return found.next_seq

    def _sealed_unlisted(self, path: Path, buffer: bytes, end: int) -> bool:
        """Say whether a crash fell between this segment's seal and its entry in the manifest."""
        if not footer_starts_at(buffer, end):
            return False
        try:
            read_sealed(buffer, path.name)
        except LogCorrupt:
            return False
        return True

    def _decode(self, name: str, batch: RawBatch) -> None:
        for raw, offset in zip(batch.raw_events(), batch.offsets.tolist(), strict=True):
            self.events += 1
            try:
                decode(raw)
            except LogCorrupt as error:
                self.damage(name, offset, raw.seq, str(error))

    def _strangers(self, manifest: Manifest) -> None:
        known = {segment.name for segment in manifest.segments} | {segment_name(manifest.next_seq)}
        for path in segment_paths(self.directory):
            if path.name not in known and path.name >= segment_name(manifest.pruned.next_seq):
                self.damage(path.name, 0, -1, "a segment that the manifest does not lead to")


def verify(directory: Path | str, *, on_segment: OnSegment = lambda done, total: None) -> VerifyReport:
    """Check every byte of a log; never changes it. Safe beside a running writer."""
    path = Path(directory)
    if not path.is_dir():
        raise InputError(f"{path}: no such event log")
    if not (path / MANIFEST).exists() and not segment_paths(path):
        raise InputError(f"{path}: holds no event log")
    return _Verifier(path, on_segment).run()
