"""One segment file: a header that names its predecessor's digest, records, and, once sealed, a footer.

    header   magic 8 | schema u16 | reserved u16 | first_seq u64 | previous digest 32 | crc32 u32
    records  as in codec.py
    footer   0xffffffff | crc32 of the rest | offset of every record, u32 each | trailer
    trailer  first_seq, last_seq u64 | first_wall_ns, last_wall_ns i64 | events u32 | footer offset u32 |
             SHA-256 of all bytes before the footer | magic 8

The digest covers the header, so each segment vouches for the whole log before it.
"""

import hashlib
import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from zlib import crc32

from mev_dagster.errors import LogCorrupt
from mev_dagster.events.codec import PREFIX, RECORD, SCHEMA_VERSION, RawEvent, length_at, raw_at

SUFFIX = ".segment"
# Offsets are u32 and a reader holds one segment in memory.
MAX_SEGMENT_BYTES = 1024 * 1024 * 1024
GENESIS_DIGEST = bytes(32)

_HEADER = Struct("<8sHHQ32s")
_CRC = Struct("<I")
HEADER_SIZE = _HEADER.size + _CRC.size
_TRAILER = Struct("<QQqqII32s8s")
_FOOTER_MARK = 0xFFFFFFFF
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
    offsets: "array[int]"

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
        body = _little_endian(self.offsets).tobytes() + trailer
        return PREFIX.pack(_FOOTER_MARK, crc32(body)) + body


@dataclass(frozen=True, slots=True)
class Scan:
    """The whole, intact, consecutive records found from a header on; `end` is where they stop."""

    offsets: "array[int]"
    end: int
    next_seq: int


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

    Only the footer is checked here; `check_digest` checks the rest.
    """
    start = len(buffer) - _TRAILER.size
    if start < HEADER_SIZE:
        raise LogCorrupt(f"segment {name}: offset 0: {len(buffer)} bytes cannot hold a sealed segment")
    first_seq, last_seq, first_wall, last_wall, count, offset, digest, magic = _TRAILER.unpack_from(
        buffer, start
    )
    if magic != _SEALED:
        raise LogCorrupt(f"segment {name}: offset {len(buffer)}: the end of a sealed segment is missing")
    if offset < HEADER_SIZE or offset + PREFIX.size + 4 * count != start or last_seq - first_seq + 1 != count:
        raise LogCorrupt(f"segment {name}: offset {start}: the trailer contradicts the file's size")
    mark, crc = PREFIX.unpack_from(buffer, offset)
    if mark != _FOOTER_MARK or crc32(memoryview(buffer)[offset + PREFIX.size :]) != crc:
        raise LogCorrupt(f"segment {name}: offset {offset}: the footer's checksum differs")
    offsets = array("I")
    offsets.frombytes(buffer[offset + PREFIX.size : start])
    return Footer(first_seq, last_seq, first_wall, last_wall, offset, digest, _little_endian(offsets))


def footer_starts_at(buffer: bytes, offset: int) -> bool:
    """Say whether a footer, whole or torn, begins at the end of the records."""
    return buffer[offset : offset + 4] == b"\xff\xff\xff\xff"


def check_digest(buffer: bytes, footer: Footer, name: str) -> None:
    """Raise `LogCorrupt` naming the first damaged record when the bytes do not hash to the seal's digest."""
    if hashlib.sha256(memoryview(buffer)[: footer.footer_offset]).digest() == footer.digest:
        return
    for damage in damaged_records(buffer, footer):
        raise LogCorrupt(f"segment {name}: offset {damage[0]}: event {damage[1]} is damaged")
    raise LogCorrupt(f"segment {name}: offset 0: the bytes before the footer do not hash to its digest")


def damaged_records(buffer: bytes, footer: Footer) -> Iterator[tuple[int, int]]:
    """Yield (offset, seq) of every record that fails its checksum or stands at the wrong place."""
    for index, offset in enumerate(footer.offsets):
        seq = footer.first_seq + index
        end = footer.offsets[index + 1] if index + 1 < len(footer.offsets) else footer.footer_offset
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


def holds_later_record(buffer: bytes, start: int, after_seq: int) -> bool:
    """Say whether an intact record with a higher number follows somewhere: damage, not a torn tail."""
    for offset in range(start, len(buffer) - RECORD.size):
        if length_at(buffer, offset, len(buffer)):
            return raw_at(buffer, offset).seq >= after_seq
    return False


def raw_events(buffer: bytes, offsets: Sequence[int], start: int = 0) -> Iterator[RawEvent]:
    """Yield the records at `offsets[start:]` of checked bytes."""
    for offset in offsets[start:]:
        yield raw_at(buffer, offset)


def _little_endian(values: "array[int]") -> "array[int]":
    if sys.byteorder == "little":
        return values
    swapped = array("I", values)
    swapped.byteswap()
    return swapped
