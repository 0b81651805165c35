"""One segment file: a header that names its predecessor's digest, records, and, once sealed, a footer.

    header   magic 8 | schema u16 | reserved u16 | first_seq u64 | previous digest 32 | crc32 u32
    records  as in codec.py
    footer   crc32 of the rest | 0xffffffff where a record has its length | offset of every record | trailer
    trailer  first_seq, last_seq u64 | first_wall_ns, last_wall_ns i64 | events u32 | footer offset u32 |
             SHA-256 of all bytes before the footer | magic 8

The digest covers the header, so each segment vouches for the whole log before it.
"""

import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from struct import Struct
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from mev_dagster.errors import LogCorrupt
from mev_dagster.events.batch import RawBatch, gather
from mev_dagster.events.codec import CRC_SIZE, PREFIX_SIZE, RECORD, SCHEMA_VERSION, length_at, raw_at
from mev_dagster.units import GIB

SUFFIX = ".segment"
# Offsets are u32 and a reader holds one segment in memory.
MAX_SEGMENT_BYTES = GIB
GENESIS_DIGEST = bytes(32)

_HEADER = Struct("<8sHHQ32s")
_CRC = Struct("<I")
HEADER_SIZE = _HEADER.size + _CRC.size
_TRAILER = Struct("<QQqqII32s8s")
_FOOTER_MARK = b"\xff\xff\xff\xff"
_MAGIC = b"MEVEVLOG"
_SEALED = b"MEVSEAL\n"


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """What stands at the start of a segment."""

    first_seq: int
    previous_digest: bytes

    def encode(self) -> bytes:
        """Return the header's bytes."""
        fixed = _HEADER.pack(_MAGIC, SCHEMA_VERSION, 0, self.first_seq, self.previous_digest)
        return fixed + _CRC.pack(crc32(fixed))


@dataclass(frozen=True, slots=True)
class Footer:
    """What sealing adds: where each record is, what the segment spans, and its digest."""

    first_seq: int
    last_seq: int
    first_wall_ns: int
    last_wall_ns: int
    footer_offset: int
    digest: bytes
    offsets: NDArray[np.int64]

    def encode(self) -> bytes:
        """Return the footer's bytes."""
        trailer = _TRAILER.pack(
            self.first_seq,
            self.last_seq,
            self.first_wall_ns,
            self.last_wall_ns,
            len(self.offsets),
            self.footer_offset,
            self.digest,
            _SEALED,
        )
        body = self.offsets.astype("<u4").tobytes() + trailer
        marked = _FOOTER_MARK + body
        return _CRC.pack(crc32(marked)) + marked


@dataclass(frozen=True, slots=True)
class Scan:
    """The whole, intact, consecutive records found from a header on; `end` is where they stop."""

    offsets: "array[int]"
    end: int
    next_seq: int

    def batch(self, buffer: bytes, start: int = 0) -> RawBatch:
        """Return the records found in `buffer`, from the one at index `start` on."""
        return gather(buffer, np.array(self.offsets[start:], np.int64))


def segment_name(first_seq: int) -> str:
    """Return the file name of the segment that starts with `first_seq`."""
    return f"{first_seq:012d}{SUFFIX}"


def segment_paths(directory: Path) -> list[Path]:
    """Return the segment files of a log folder in order."""
    return sorted(directory.glob(f"*{SUFFIX}"))


def read_header(buffer: bytes, name: str) -> SegmentHeader:
    """Return the checked header; `LogCorrupt` names the segment."""
    if len(buffer) < HEADER_SIZE:
        raise LogCorrupt(f"segment {name}: offset 0: {len(buffer)} bytes, a header alone has {HEADER_SIZE}")
    magic, schema, _, first_seq, previous = _HEADER.unpack_from(buffer)
    if magic != _MAGIC:
        raise LogCorrupt(f"segment {name}: offset 0: not a segment of an event log")
    if _CRC.unpack_from(buffer, _HEADER.size)[0] != crc32(memoryview(buffer)[: _HEADER.size]):
        raise LogCorrupt(f"segment {name}: offset 0: the header's checksum differs")
    if schema != SCHEMA_VERSION:
        raise LogCorrupt(f"segment {name}: schema version {schema}, this program reads {SCHEMA_VERSION}")
    return SegmentHeader(first_seq, previous)


def read_footer(buffer: bytes, name: str) -> Footer:
    """Return the footer of a sealed segment; `LogCorrupt` when it is not there or damaged.

    Only the footer is checked here; `read_sealed` checks the rest.
    """
    start = len(buffer) - _TRAILER.size
    if start < HEADER_SIZE:
        raise LogCorrupt(f"segment {name}: offset 0: {len(buffer)} bytes cannot hold a sealed segment")
    first_seq, last_seq, first_wall, last_wall, count, offset, digest, magic = _TRAILER.unpack_from(
        buffer, start
    )
    if magic != _SEALED:
        raise LogCorrupt(f"segment {name}: offset {len(buffer)}: the end of a sealed segment is missing")
    if offset < HEADER_SIZE or offset + PREFIX_SIZE + 4 * count != start or last_seq - first_seq + 1 != count:
        raise LogCorrupt(f"segment {name}: offset {start}: the trailer contradicts the file's size")
    crc = crc32(memoryview(buffer)[offset + CRC_SIZE :])
    if not footer_starts_at(buffer, offset) or _CRC.unpack_from(buffer, offset)[0] != crc:
        raise LogCorrupt(f"segment {name}: offset {offset}: the footer's checksum differs")
    offsets = np.frombuffer(buffer, "<u4", count, offset + PREFIX_SIZE).astype(np.int64)
    return Footer(first_seq, last_seq, first_wall, last_wall, offset, digest, offsets)


def footer_starts_at(buffer: bytes, offset: int) -> bool:
    """Say whether a footer, whole or torn, begins at the end of the records."""
    return buffer[offset + CRC_SIZE : offset + PREFIX_SIZE] == _FOOTER_MARK


def read_sealed(buffer: bytes, name: str) -> tuple[Footer, RawBatch]:
    """Return footer and records of a sealed segment, every byte of it checked.

    The digest stands in for the record checksums, which are looked at only to say where damage is.
    `LogCorrupt` names the segment, the offset and, where it is known, the event.
    """
    footer = read_footer(buffer, name)
    if hashlib.sha256(memoryview(buffer)[: footer.footer_offset]).digest() != footer.digest:
        for offset, seq in damaged_records(buffer, footer):
            raise LogCorrupt(f"segment {name}: offset {offset}: event {seq} is damaged")
        raise LogCorrupt(f"segment {name}: offset 0: the bytes before the footer do not hash to its digest")
    batch = _laid_out(buffer, footer)
    if batch is None:
        raise LogCorrupt(f"segment {name}: offset {footer.footer_offset}: the index is not of these records")
    return footer, batch


def _laid_out(buffer: bytes, footer: Footer) -> RawBatch | None:
    """Return the records if the index leads from each exactly to the next and their numbers count up."""
    offsets = footer.offsets
    bounds = np.append(offsets, footer.footer_offset)
    if offsets[:1].tolist() != [HEADER_SIZE] or np.diff(bounds).min() < RECORD.size:
        return None
    batch = gather(buffer, offsets)
    seqs = np.arange(footer.first_seq, footer.last_seq + 1, dtype=np.uint64)
    if np.array_equal(batch.ends, bounds[1:]) and np.array_equal(batch.headers["seq"], seqs):
        return batch
    return None


def damaged_records(buffer: bytes, footer: Footer) -> Iterator[tuple[int, int]]:
    """Yield (offset, seq) of every record that fails its checksum or stands at the wrong place."""
    bounds = [*footer.offsets.tolist(), footer.footer_offset]
    for seq, (offset, end) in enumerate(pairwise(bounds), footer.first_seq):
        whole = end <= footer.footer_offset and length_at(buffer, offset, end) == end - offset
        if not whole or raw_at(buffer, offset).seq != seq:
            yield offset, seq


def scan(buffer: bytes, start: int, end: int, first_seq: int) -> Scan:
    """Walk the records of a segment that is not sealed, up to the first that is torn or damaged."""
    offsets, offset, seq = array("I"), start, first_seq
    while size := length_at(buffer, offset, end):
        if raw_at(buffer, offset).seq != seq:
            break
        offsets.append(offset)
        offset += size
        seq += 1
    return Scan(offsets, offset, seq)


def next_record(buffer: bytes, start: int, after_seq: int) -> int | None:
    """Return where an intact record numbered above `after_seq` stands behind `start`, if one does.

    One that follows damage proves that the damage is no torn tail.
    """
    for offset in range(start, len(buffer) - RECORD.size + 1):
        if length_at(buffer, offset, len(buffer)) and raw_at(buffer, offset).seq > after_seq:
            return offset
    return None
