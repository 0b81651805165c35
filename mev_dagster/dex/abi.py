"""The part of the contract ABI the venues use: words, addresses and arrays of addresses.

Reading is strict, because calldata is written by strangers: an offset or a length that leaves the data,
or an address with bits above 160, is a `DecodeError`.
"""

from collections.abc import Sequence

from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.receipts import Log
from mev_dagster.errors import DecodeError

WORD = 32


def selector(signature: str) -> bytes:
    """Return the four bytes that call the function with this canonical signature."""
    return keccak(signature.encode())[:4]


def topic(signature: str) -> bytes:
    """Return the first topic of the event with this canonical signature."""
    return keccak(signature.encode())


def word(data: bytes, index: int) -> int:
    """Return the `index`-th 32-byte word of `data` as an unsigned integer."""
    end = (index + 1) * WORD
    if index < 0 or end > len(data):
        raise DecodeError("abi_truncated", f"word {index} of {len(data)} bytes")
    return int.from_bytes(data[end - WORD : end], "big")


def signed_word(data: bytes, index: int) -> int:
    """Return the `index`-th word as a two's-complement integer."""
    value = word(data, index)
    return value - (1 << 256) if value >> 255 else value


def address_of_word(value: int) -> bytes:
    """Return the address a word holds."""
    if value >> 160:
        raise DecodeError("abi_dirty_address", f"0x{value:064x}")
    return value.to_bytes(20, "big")


def address(data: bytes, index: int) -> bytes:
    """Return the `index`-th word as an address."""
    return address_of_word(word(data, index))


def address_array(data: bytes, index: int) -> tuple[bytes, ...]:
    """Return the dynamic array of addresses whose offset is the `index`-th word."""
    offset = word(data, index)
    if offset % WORD or offset >= len(data):
        raise DecodeError("abi_bad_offset", f"array offset {offset} in {len(data)} bytes")
    start = offset // WORD
    length = word(data, start)
    if length > len(data) // WORD:
        raise DecodeError("abi_truncated", f"array of {length} addresses in {len(data)} bytes")
    return tuple(address(data, start + 1 + position) for position in range(length))


def check_shape(log: Log, reason: str, first_topic: bytes, *, topics: int, size: int) -> None:
    """Raise `DecodeError` with `reason` unless a log has an event's topic, topics and bytes of data."""
    if len(log.topics) != topics or log.topics[0] != first_topic or len(log.data) != size:
        raise DecodeError(reason, f"{len(log.topics)} topics, {len(log.data)} bytes")


def encode_words(values: Sequence[int | bytes]) -> bytes:
    """Return the words of unsigned integers and of left-padded addresses, one after the other."""
    return b"".join(
        value.rjust(WORD, b"\0") if isinstance(value, bytes) else value.to_bytes(WORD, "big")
        for value in values
    )
