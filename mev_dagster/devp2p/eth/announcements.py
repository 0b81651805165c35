"""Announcements of transactions: the message a mempool listener reads most, so its lists are sliced."""

from mev_dagster.chain import rlp
from mev_dagster.errors import DecodeError, ProtocolViolation

HASH_BYTES = 32
_STRIDE = HASH_BYTES + 1
_HASH_PREFIX = b"\xa0"
MAX_ANNOUNCED = 2 * 4096  # twice what the protocol recommends; reth allocates as much


def read_hashes(data: bytes, start: int, stop: int, limit: int = MAX_ANNOUNCED) -> tuple[bytes, ...]:
    """Read a list payload of 32-byte hashes: each is 0xa0 and its bytes, so every 33rd byte says so."""
    count, rest = divmod(stop - start, _STRIDE)
    if rest or data[start:stop:_STRIDE] != _HASH_PREFIX * count:
        raise DecodeError("bad_hash_list", f"{stop - start} bytes are not a list of 32-byte hashes")
    if count > limit:
        raise ProtocolViolation("too_many_items", f"{count} hashes, at most {limit} are read")
    return tuple([data[at : at + HASH_BYTES] for at in range(start + 1, stop, _STRIDE)])


def read_sizes(data: bytes, start: int, stop: int, limit: int = MAX_ANNOUNCED) -> tuple[int, ...]:
    """Read a list payload of sizes, each below 2^32; nearly all have two bytes."""
    sizes: list[int] = []
    append = sizes.append
    while start < stop:
        prefix = data[start]
        if prefix == 0x82 and start + 3 <= stop and data[start + 1]:
            append(data[start + 1] << 8 | data[start + 2])
            start += 3
            continue
        is_list, at, start = rlp.payload_span(data, start, stop)
        if is_list:
            raise DecodeError("unexpected_list", "an announced size is a list")
        append(rlp.integer(data[at:start], bits=32, name="announced size"))
    if len(sizes) > limit:
        raise ProtocolViolation("too_many_items", f"{len(sizes)} sizes, at most {limit} are read")
    return tuple(sizes)
