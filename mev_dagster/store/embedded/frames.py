"""Decompression of request bodies, every frame of them.

clickhouse-connect sends each Native block as a compressed frame of its own; a decompressor that stops
after the first frame silently loses the rest of the rows. Output comes in bounded pieces, so a small body
that inflates without end is stopped by its reader, not by the machine's memory.
"""

import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import lz4.frame
import zstandard

from mev_dagster.errors import DecodeError
from mev_dagster.units import KIB, MIB

PIECE_BYTES = MIB
_ZSTD_INPUT_BYTES = KIB  # a zstd block of 4 bytes may stand for 128 KiB; this bounds one step to 32 MiB
_ZSTD_WINDOW_BYTES = 1 << 27


class _Frame(Protocol):
    """One compressed frame: bytes in, bounded pieces out, and what follows the frame's end."""

    ended: bool
    rest: bytes

    def pieces(self, data: bytes) -> Iterator[bytes]: ...


class _Lz4Frame:
    def __init__(self) -> None:
        self._stream = lz4.frame.LZ4FrameDecompressor()
        self.ended, self.rest = False, b""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while True:
            yield self._stream.decompress(data, PIECE_BYTES)
            data = b""
            if self._stream.eof:
                self.ended, self.rest = True, self._stream.unused_data or b""
                return
            if self._stream.needs_input:
                return


class _ZlibFrame:
    def __init__(self, window_bits: int) -> None:
        self._stream = zlib.decompressobj(window_bits)
        self.ended, self.rest = False, b""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while data and not self._stream.eof:
            yield self._stream.decompress(data, PIECE_BYTES)
            data = self._stream.unconsumed_tail
        if self._stream.eof:
            self.ended, self.rest = True, self._stream.unused_data


class _ZstdFrame:
    def __init__(self) -> None:
        self._stream = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).decompressobj()
        self.ended, self.rest = False, b""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _ZSTD_INPUT_BYTES):
            yield self._stream.decompress(data[start : start + _ZSTD_INPUT_BYTES])
            if self._stream.eof:
                self.ended = True
                self.rest = self._stream.unused_data + data[start + _ZSTD_INPUT_BYTES :]
                return


_FRAMES: dict[str, Callable[[], _Frame]] = {
    "lz4": _Lz4Frame,
    "zstd": _ZstdFrame,
    "gzip": lambda: _ZlibFrame(zlib.MAX_WBITS | 16),
    "deflate": lambda: _ZlibFrame(zlib.MAX_WBITS),
}
ENCODINGS = frozenset(_FRAMES)


class CompressedReader:
    """Reads a body made of any number of frames of one encoding; an empty encoding passes bytes through."""

    def __init__(self, encoding: str):
        if encoding not in ENCODINGS and encoding not in {"", "identity"}:
            raise DecodeError("unknown_encoding", f"Content-Encoding {encoding!r}")
        self._new_frame = _FRAMES.get(encoding)
        self._encoding = encoding
        self._frame: _Frame | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what `data` decompresses to, in bounded pieces."""
        if self._new_frame is None:
            yield data
            return
        while data:
            if self._frame is None:
                self._frame = self._new_frame()
            try:
                yield from (piece for piece in self._frame.pieces(data) if piece)
            except (RuntimeError, zlib.error, zstandard.ZstdError) as error:
                raise DecodeError("corrupt_frame", f"{self._encoding}: {error}") from None
            if not self._frame.ended:
                return
            data, self._frame = self._frame.rest, None

    def finish(self) -> None:
        """Check that the body did not end inside a frame."""
        if self._frame is not None:
            raise DecodeError("truncated_frame", f"the {self._encoding} body ends inside a frame")
