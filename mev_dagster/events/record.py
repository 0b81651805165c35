"""The layout of a record, and records whose payload is not parsed yet.

    crc32 u32 | length u32 | seq u64 | wall_ns i64 | mono_ns i64 | kind u8 | lane u8 | flags u8 |
    source_len u8 | subject 32 bytes | payload | source                             (little endian)

The crc covers everything behind it; `length` counts what is behind itself. The subject is the hash an
event is about: the transaction's, or the block's. It sits at a fixed place so that a scan by hash or by
kind never has to parse a payload.
"""

from struct import Struct
from typing import NamedTuple, TypeAlias
from zlib import crc32

from mev_dagster.units import MIB

SCHEMA_VERSION = 1

CRC_SIZE = 4
PREFIX = Struct("<II")  # crc and length
PREFIX_SIZE = PREFIX.size
HEADER = Struct("<IQqqBBBB32s")  # from the length on
RECORD = Struct("<IIQqqBBBB32s")
MIN_LENGTH = RECORD.size - PREFIX_SIZE
# A devp2p message is at most 10 MiB, a block of the largest gas limit far less than that in hashes.
MAX_RECORD = 16 * MIB

SYNTHETIC = 1
HAS_TYPE = 2
HAS_SIZE = 4

ANNOUNCED = Struct("<BI")
REJECTED = Struct("<HI")
BLOCK = Struct("<Q32sI")
NUMBER = Struct("<Q")
INCLUDED = Struct("<Q32sI")
STATUS = Struct("<BQ")

# crc, length, seq, wall_ns, mono_ns, kind, lane, flags, source_len, subject
HeaderFields: TypeAlias = tuple[int, int, int, int, int, int, int, int, int, bytes]


class RawEvent(NamedTuple):
    """An event with its payload unparsed; what bulk readers work on."""

    crc: int
    length: int
    seq: int
    wall_ns: int
    mono_ns: int
    kind: int
    lane: int
    flags: int
    source_len: int
    subject: bytes
    tail: bytes

    @property
    def source(self) -> str:
        """Return the source's name."""
        return self.tail[len(self.tail) - self.source_len :].decode()

    @property
    def payload(self) -> bytes:
        """Return what the kind adds; for a `TxBody` that is the raw transaction."""
        return self.tail[: len(self.tail) - self.source_len]


def raw_at(buffer: bytes, offset: int) -> RawEvent:
    """Return the record at `offset`, its checksum not checked; the caller knows the bytes are there."""
    header = RECORD.unpack_from(buffer, offset)
    tail = buffer[offset + RECORD.size : offset + PREFIX_SIZE + header[1]]
    return RawEvent._make((*header, tail))


def length_at(buffer: bytes, offset: int, end: int) -> int:
    """Return the whole size of the checked record at `offset`, or 0 when no whole, intact record is there."""
    if end - offset < RECORD.size:
        return 0
    crc, length = PREFIX.unpack_from(buffer, offset)
    size = PREFIX_SIZE + int(length)
    if length < MIN_LENGTH or size > MAX_RECORD or size > end - offset:
        return 0
    if crc32(memoryview(buffer)[offset + CRC_SIZE : offset + size]) != crc:
        return 0
    return size
