"""One part of a capture: keyed records in zstd chunks, with an index at the end.

    magic 8 | chunks | index chunk | trailer
    chunk    stored size u32 | raw size u32 | crc32 of the raw bytes u32 | one zstd frame
    records  key size u8 | payload size u32 | key | payload          (raw bytes of a chunk)
    index    key size u8 | key | chunk offset u64 | place in it u32  (raw bytes of the index chunk)
    trailer  index offset u64 | records u64 | crc32 of both u32 | magic 8

Sizes are checked against fixed limits before anything is allocated. The same records in the same order
make the same bytes.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from struct import Struct
from struct import error as StructError
from typing import BinaryIO
from zlib import crc32

import zstandard
from cachetools import LRUCache

from mev_dagster.errors import CaptureError
from mev_dagster.units import GIB, MIB

MAX_CHUNK_BYTES = 256 * MIB
MAX_RECORD_BYTES = 128 * MIB
MAX_INDEX_BYTES = GIB

_MAGIC = b"MEVPART1"
_END = b"MEVPEND\n"
_CHUNK = Struct("<III")
_RECORD = Struct("<BI")
_KEY = Struct("<B")
_PLACE = Struct("<QI")
_TRAILER = Struct("<QQ")
_TRAILER_SIZE = _TRAILER.size + 4 + len(_END)
_LEVEL = 10
_CACHED_CHUNKS = 4


class PartWriter:
    """Writes a part. `flush` ends a chunk, so that what is written so far stands on its own."""

    def __init__(self, path: Path, *, chunk_bytes: int, resume_at: int = 0) -> None:
        self.path = path
        self.records = 0
        self._chunk_bytes = chunk_bytes
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self._pending = bytearray()
        self._places: list[tuple[bytes, int, int]] = []
        if resume_at:
            self._resume(resume_at)
        else:
            self._file: BinaryIO = path.open("wb")
            self._file.write(_MAGIC)
            self._offset = len(_MAGIC)

    @property
    def size(self) -> int:
        """Return the bytes that are in finished chunks."""
        return self._offset

    def add(self, key: bytes, payload: bytes) -> None:
        """Append a record; one with an empty key is found by reading in order only."""
        if len(payload) > MAX_RECORD_BYTES or len(key) > 255:
            raise CaptureError(
                f"part {self.path.name}: record of {len(payload)} bytes, the limit is {MAX_RECORD_BYTES}"
            )
        if key:
            self._places.append((key, self._offset, len(self._pending)))
        self._pending += _RECORD.pack(len(key), len(payload)) + key + payload
        self.records += 1
        if len(self._pending) >= self._chunk_bytes:
            self.flush()

    def keys(self) -> list[bytes]:
        """Return the keys so far, in the order they were written."""
        return [key for key, _, _ in self._places]

    def flush(self) -> None:
        """End the chunk, if it holds anything."""
        if self._pending:
            self._put(bytes(self._pending))
            self._pending.clear()

    def sync(self) -> None:
        """Return when the finished chunks are on stable storage."""
        self._file.flush()
        os.fdatasync(self._file.fileno())

    def finish(self) -> None:
        """Write index and trailer and close the file."""
        self.flush()
        index_offset = self._offset
        self._put(b"".join(_KEY.pack(len(key)) + key + _PLACE.pack(*place) for key, *place in self._places))
        trailer = _TRAILER.pack(index_offset, self.records)
        self._file.write(trailer + crc32(trailer).to_bytes(4, "little") + _END)
        self.sync()
        self._file.close()

    def close(self) -> None:
        """Close the file without finishing the part."""
        self._file.close()

    def _put(self, raw: bytes) -> None:
        stored = self._compressor.compress(raw)
        self._file.write(_CHUNK.pack(len(stored), len(raw), crc32(raw)) + stored)
        self._offset += _CHUNK.size + len(stored)

    def _resume(self, size: int) -> None:
        """Go on behind `size` bytes of finished chunks: rebuild the index from them, drop the rest."""
        with self.path.open("rb") as file:
            offset = len(_MAGIC)
            while offset < size:
                raw, following = _read_chunk(file, offset, size, self.path.name, MAX_CHUNK_BYTES)
                for place, key, _ in _records(raw, self.path.name):
                    self.records += 1
                    if key:
                        self._places.append((key, offset, place))
                offset = following
        os.truncate(self.path, size)
        self._file = self.path.open("r+b")
        self._file.seek(size)
        self._offset = size


class PartReader:
    """Reads a part by key or in order; anything out of place is a `CaptureError` that names the part."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise CaptureError(f"part {path.name}: {error.strerror}") from error
        size = os.fstat(self._file.fileno()).st_size
        if size < len(_MAGIC) + _TRAILER_SIZE or os.pread(self._file.fileno(), 8, 0) != _MAGIC:
            raise CaptureError(f"part {self.name}: not a part of a capture, or truncated")
        trailer = os.pread(self._file.fileno(), _TRAILER_SIZE, size - _TRAILER_SIZE)
        fixed, check = trailer[: _TRAILER.size], trailer[_TRAILER.size : _TRAILER.size + 4]
        if trailer[-len(_END) :] != _END or crc32(fixed).to_bytes(4, "little") != check:
            raise CaptureError(f"part {self.name}: truncated or altered at its end")
        self._index_offset, self.records = _TRAILER.unpack(fixed)
        self._places: dict[bytes, tuple[int, int]] | None = None
        self._chunks: LRUCache[int, bytes] = LRUCache(_CACHED_CHUNKS)
        self._end = size - _TRAILER_SIZE

    def __contains__(self, key: bytes) -> bool:
        return key in self.index()

    def index(self) -> Mapping[bytes, tuple[int, int]]:
        """Return where each keyed record is, in the order they were written."""
        if self._places is None:
            raw, _ = _read_chunk(self._file, self._index_offset, self._end, self.name, MAX_INDEX_BYTES)
            self._places = dict(_index_entries(raw, self.name))
        return self._places

    def get(self, key: bytes) -> bytes | None:
        """Return the record with this key, None where there is none."""
        place = self.index().get(key)
        return None if place is None else self._at(*place, key)

    def get_many(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the records of those keys that are there, reading each chunk once."""
        index = self.index()
        wanted = sorted((index[key], key) for key in set(keys) if key in index)
        return {key: self._at(*place, key) for place, key in wanted}

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, payload) of every record in order."""
        offset, found = len(_MAGIC), 0
        while offset < self._index_offset:
            raw, offset = _read_chunk(self._file, offset, self._index_offset, self.name, MAX_CHUNK_BYTES)
            for _, key, payload in _records(raw, self.name):
                found += 1
                yield key, payload
        if found != self.records:
            raise CaptureError(f"part {self.name}: expected {self.records} records, found {found}")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _at(self, offset: int, place: int, key: bytes) -> bytes:
        raw = self._chunks.get(offset)
        if raw is None:
            raw, _ = _read_chunk(self._file, offset, self._index_offset, self.name, MAX_CHUNK_BYTES)
            self._chunks[offset] = raw
        found, payload, _ = _record(raw, place, self.name)
        if found != key:
            raise CaptureError(f"part {self.name}: the index points at another record")
        return payload


def _read_chunk(file: BinaryIO, offset: int, end: int, name: str, limit: int) -> tuple[bytes, int]:
    """Return a chunk's raw bytes and the offset behind it."""
    head = os.pread(file.fileno(), _CHUNK.size, offset)
    if len(head) < _CHUNK.size or offset + _CHUNK.size > end:
        raise CaptureError(f"part {name}: offset {offset}: a chunk is cut off")
    stored, size, crc = _CHUNK.unpack(head)
    following = offset + _CHUNK.size + stored
    if following > end or size > limit:
        raise CaptureError(f"part {name}: offset {offset}: a chunk of {stored} bytes, {size} raw, cannot be")
    frame = os.pread(file.fileno(), stored, offset + _CHUNK.size)
    try:
        stated = zstandard.get_frame_parameters(frame)
        # The frame states its own sizes; they decide what would be allocated, so they are checked first.
        if stated.content_size != size or stated.window_size > MAX_CHUNK_BYTES or stated.dict_id:
            raise CaptureError(f"part {name}: offset {offset}: the chunk states another size than its frame")
        raw = zstandard.ZstdDecompressor().decompress(frame, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise CaptureError(f"part {name}: offset {offset}: {error}") from error
    if len(raw) != size or crc32(raw) != crc:
        raise CaptureError(f"part {name}: offset {offset}: the chunk's checksum differs")
    return raw, following


def _record(raw: bytes, place: int, name: str) -> tuple[bytes, bytes, int]:
    """Return key, payload and the place behind the record at `place`."""
    try:
        key_size, size = _RECORD.unpack_from(raw, place)
    except StructError as error:
        raise CaptureError(f"part {name}: a record is cut off") from error
    start = place + _RECORD.size
    end = start + key_size + size
    if end > len(raw):
        raise CaptureError(f"part {name}: a record reaches past its chunk")
    return raw[start : start + key_size], raw[start + key_size : end], end


def _records(raw: bytes, name: str) -> Iterator[tuple[int, bytes, bytes]]:
    place = 0
    while place < len(raw):
        key, payload, following = _record(raw, place, name)
        yield place, key, payload
        place = following


def _index_entries(raw: bytes, name: str) -> Iterator[tuple[bytes, tuple[int, int]]]:
    place = 0
    try:
        while place < len(raw):
            end = place + 1 + raw[place]
            yield raw[place + 1 : end], _PLACE.unpack_from(raw, end)
            place = end + _PLACE.size
    except StructError as error:
        raise CaptureError(f"part {name}: the index is cut off") from error
