"""Snappy's block format, with every size checked before a byte is inflated."""

from cramjam import snappy

from mev_dagster.errors import DecodeError, ProtocolViolation

# A copy element of three bytes yields at most 64: no stream can hold more than 22 times its size. A preamble
# that claims more would make us clear megabytes for a handful of bytes.
MAX_RATIO = 22


def compress(data: bytes) -> bytes:
    """Compress one message."""
    return bytes(snappy.compress_raw(data))


def decompress(data: bytes, limit: int) -> bytes:
    """Inflate one message of at most `limit` bytes."""
    size = _declared_size(data)
    if size > limit:
        raise ProtocolViolation("oversize_message", f"{size} bytes uncompressed, at most {limit} are read")
    if size > MAX_RATIO * len(data):
        raise ProtocolViolation("snappy_bomb", f"{len(data)} bytes claim to hold {size}")
    try:
        inflated = bytes(snappy.decompress_raw(data))
    except Exception as error:  # cramjam's DecompressionError is not importable by name in all versions
        raise DecodeError("bad_snappy", str(error)) from None
    if len(inflated) != size:
        raise DecodeError("bad_snappy", f"{len(inflated)} bytes, the preamble said {size}")
    return inflated


def _declared_size(data: bytes) -> int:
    """Read the preamble: a little-endian base-128 integer of at most 32 bits."""
    size = 0
    for index, byte in enumerate(data[:5]):
        size |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return size
    raise DecodeError("bad_snappy", "the length preamble does not end")
