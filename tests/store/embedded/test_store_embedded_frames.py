"""Every frame of a compressed body is read, whatever way the network cuts it."""

import gzip
import zlib

import lz4.frame
import pytest
import zstandard

from mev_dagster.errors import DecodeError
from mev_dagster.store.embedded.frames import PIECE_BYTES, CompressedReader

COMPRESS = {
    "lz4": lz4.frame.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
}
PARTS = [bytes([index]) * (index * 997) for index in range(1, 40)]


def read(encoding: str, body: bytes, step: int) -> bytes:
    frames = CompressedReader(encoding)
    found = b"".join(
        piece for start in range(0, len(body), step) for piece in frames.feed(body[start : start + step])
    )
    frames.finish()
    return found


@pytest.mark.parametrize("encoding", COMPRESS)
@pytest.mark.parametrize("step", [1, 7, 4096, 1 << 30])
def test_all_frames_of_a_body_are_read_wherever_it_is_cut(encoding: str, step: int):
    body = b"".join(COMPRESS[encoding](part) for part in PARTS)
    assert read(encoding, body, step) == b"".join(PARTS)


@pytest.mark.parametrize("encoding", COMPRESS)
def test_a_body_that_ends_inside_a_frame_is_refused(encoding: str):
    body = b"".join(COMPRESS[encoding](part) for part in PARTS)
    with pytest.raises(DecodeError, match="truncated_frame"):
        read(encoding, body[:-3], 64)


@pytest.mark.parametrize("encoding", COMPRESS)
def test_bytes_that_are_no_frame_are_refused(encoding: str):
    with pytest.raises(DecodeError, match="corrupt_frame"):
        read(encoding, b"certainly not compressed" * 9, 64)


@pytest.mark.parametrize("encoding", COMPRESS)
def test_a_small_body_that_inflates_without_end_comes_in_bounded_pieces(encoding: str):
    body = COMPRESS[encoding](bytes(64 << 20))
    bound = 32 * PIECE_BYTES if encoding == "zstd" else PIECE_BYTES
    sizes = [len(piece) for piece in CompressedReader(encoding).feed(body)]
    assert sum(sizes) == 64 << 20
    assert max(sizes) <= bound


def test_an_unknown_encoding_is_refused_and_none_passes_through():
    with pytest.raises(DecodeError, match="unknown_encoding"):
        CompressedReader("br")
    assert read("", b"as it is", 3) == b"as it is"
