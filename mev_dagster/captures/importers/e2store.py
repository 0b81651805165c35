"""e2store files: records of type, length and data; and Snappy's framing format inside them.

Sources: the e2store description of the Nimbus project, the Snappy framing format description.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

import cramjam

from mev_dagster.errors import CaptureError
from mev_dagster.units import MIB

MAX_ENTRY_BYTES = 64 * MIB
MAX_RAW_BYTES = 256 * MIB

_HEADER = Struct("<HIH")
_STREAM = b"\xff\x06\x00\x00sNaPpY"
_COMPRESSED, _UNCOMPRESSED = 0x00, 0x01
_CRC_SIZE = 4
_SKIPPABLE = range(0x80, 0x100)


@dataclass(frozen=True, slots=True)
class E2Record:
    """One record of an e2store file; `offset` is where it starts."""

    type: int
    offset: int
    data: bytes


def entries(path: Path) -> Iterator[E2Record]:
    """Yield the records of a file in order; `CaptureError` names file and offset of what is none."""
    with path.open("rb") as file:
        offset = 0
        while head := file.read(_HEADER.size):
            if len(head) < _HEADER.size:
                raise CaptureError(f"{path.name}: offset {offset}: a record is cut off")
            kind, length, reserved = _HEADER.unpack(head)
            if reserved or length > MAX_ENTRY_BYTES:
                raise CaptureError(f"{path.name}: offset {offset}: a record of {length} bytes cannot be")
            data = file.read(length)
            if len(data) < length:
                raise CaptureError(f"{path.name}: offset {offset}: a record is cut off")
            yield E2Record(kind, offset, data)
            offset += _HEADER.size + length


def unsnap(data: bytes) -> bytes:
    """Return the content of Snappy frames; `CaptureError` when they are none or would be too large."""
    size = _framed_size(data)
    if size > MAX_RAW_BYTES:
        raise CaptureError(f"snappy: {size} bytes, the limit is {MAX_RAW_BYTES}")
    try:
        raw = bytes(cramjam.snappy.decompress(data))
    except cramjam.DecompressionError as error:
        raise CaptureError(f"snappy: {error}") from error
    if len(raw) != size:
        raise CaptureError(f"snappy: {size} bytes announced, {len(raw)} found")
    return raw


def _framed_size(data: bytes) -> int:
    """Return how much the frames say they hold, so that it is known before anything is allocated."""
    if data[: len(_STREAM)] != _STREAM:
        raise CaptureError("snappy: no stream identifier")
    size, place = 0, len(_STREAM)
    while place < len(data):
        kind, length = data[place], int.from_bytes(data[place + 1 : place + 4], "little")
        start = place + 4
        place = start + length
        if place > len(data):
            raise CaptureError("snappy: a frame is cut off")
        if kind == _COMPRESSED:
            size += _varint(data, start + _CRC_SIZE)
        elif kind == _UNCOMPRESSED:
            size += max(0, length - _CRC_SIZE)
        elif kind not in _SKIPPABLE:
            raise CaptureError(f"snappy: unknown frame type 0x{kind:02x}")
    return size


def _varint(data: bytes, place: int) -> int:
    value = 0
    for shift, byte in enumerate(data[place : place + 5]):
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value
    raise CaptureError("snappy: a length does not end")
