"""`manifest.json`: the sealed segments of a log, each with the digest of the one before it.

The file is canonical: the same content is always the same bytes, and `check` is the SHA-256 of the
rest, so that any change to it is found.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from mev_dagster.errors import LogCorrupt
from mev_dagster.events.codec import SCHEMA_VERSION
from mev_dagster.events.segment import GENESIS_DIGEST, segment_name

MANIFEST = "manifest.json"
_FORMAT = "mev_dagster event log"


@dataclass(frozen=True, slots=True)
class SealedSegment:
    """One sealed segment as the manifest knows it. Digests are hex."""

    name: str
    first_seq: int
    last_seq: int
    first_wall_ns: int
    last_wall_ns: int
    bytes: int
    digest: str
    previous_digest: str


@dataclass(frozen=True, slots=True)
class PrunedFront:
    """What retention has removed from the front: how much, and the digest it ended with."""

    segments: int = 0
    next_seq: int = 0
    digest: str = GENESIS_DIGEST.hex()


@dataclass(frozen=True, slots=True)
class Manifest:
    """The table of contents of a log."""

    segments: tuple[SealedSegment, ...] = ()
    pruned: PrunedFront = field(default_factory=PrunedFront)

    @property
    def next_seq(self) -> int:
        """Return the number of the first event that no sealed segment holds."""
        return self.segments[-1].last_seq + 1 if self.segments else self.pruned.next_seq

    @property
    def digest(self) -> bytes:
        """Return the digest of the last sealed segment, which the next one must name."""
        return bytes.fromhex(self.segments[-1].digest if self.segments else self.pruned.digest)

    def encode(self) -> bytes:
        """Return the file's bytes."""
        document: dict[str, Any] = {"format": _FORMAT, "schema_version": SCHEMA_VERSION, **asdict(self)}
        return _canonical({**document, "check": hashlib.sha256(_canonical(document)).hexdigest()})


class _LogManifestFile(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    schema_version: int
    segments: tuple[SealedSegment, ...]
    pruned: PrunedFront
    check: str


def decode_manifest(data: bytes) -> Manifest:
    """Return the manifest of these bytes; `LogCorrupt` when they are not exactly what was written."""
    try:
        document = msgspec.json.decode(data, type=_LogManifestFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as cause:
        raise LogCorrupt(f"{MANIFEST}: does not parse: {cause}") from cause
    if document.format != _FORMAT or document.schema_version != SCHEMA_VERSION:
        raise LogCorrupt(
            f"{MANIFEST}: format {document.format!r} version {document.schema_version}, "
            f"this program reads version {SCHEMA_VERSION}"
        )
    manifest = Manifest(document.segments, document.pruned)
    if manifest.encode() != data:
        raise LogCorrupt(f"{MANIFEST}: altered: its bytes do not hash to its own check")
    _check_chain(manifest)
    return manifest


def read_manifest(directory: Path) -> Manifest:
    """Return a log folder's manifest; the empty one when nothing has been sealed yet."""
    try:
        return decode_manifest((directory / MANIFEST).read_bytes())
    except FileNotFoundError:
        return Manifest()


class ManifestFile:
    """A log folder's manifest, read again only when the file has been replaced."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / MANIFEST
        self._seen: tuple[int, int, int] | None = None
        self._manifest = Manifest()

    def read(self) -> Manifest:
        """Return the manifest as it is now."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return Manifest()
        version = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if version != self._seen:
            self._manifest = read_manifest(self._path.parent)
            self._seen = version
        return self._manifest


def prunable(manifest: Manifest, before_wall_ns: int, stored_seq: int) -> tuple[SealedSegment, ...]:
    """Return the oldest sealed segments that end before a time and whose every event the store holds."""
    old = []
    for segment in manifest.segments:
        if segment.last_wall_ns >= before_wall_ns or segment.last_seq > stored_seq:
            break
        old.append(segment)
    return tuple(old)


def _check_chain(manifest: Manifest) -> None:
    next_seq, digest = manifest.pruned.next_seq, manifest.pruned.digest
    for segment in manifest.segments:
        if segment.first_seq != next_seq or segment.name != segment_name(segment.first_seq):
            raise LogCorrupt(f"{MANIFEST}: segment {segment.name}: expected it to start at event {next_seq}")
        if segment.previous_digest != digest or segment.last_seq < segment.first_seq:
            raise LogCorrupt(f"{MANIFEST}: segment {segment.name}: does not follow the one before it")
        next_seq, digest = segment.last_seq + 1, segment.digest


def _canonical(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()
