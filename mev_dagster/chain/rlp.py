"""RLP (Yellow Paper, appendix B): strict canonical decoding, and encoding.

Only the one canonical encoding of an item is accepted: no leading zeros in lengths, no long form where
the short form fits, no single byte below 0x80 behind a prefix, and nothing after the item.
"""

from collections.abc import Sequence
from typing import TypeAlias

from mev_dagster.errors import DecodeError

Item: TypeAlias = "bytes | list[Item]"
Encodable: TypeAlias = "bytes | int | Sequence[Encodable]"

# Nothing in the protocol nests a tenth as deep; hostile bytes could nest until the interpreter gives up.
MAX_DEPTH = 64
SHORT_LIMIT = 55


def payload_span(data: bytes, position: int, end: int) -> tuple[bool, int, int]:
    """Read one item's header at `position`: (is it a list, payload start, payload end).

    `end` bounds the enclosing payload; the item may not reach past it.
    """
    if position >= end:
        raise DecodeError("rlp_truncated", f"expected an item at byte {position}, found the end")
    prefix = data[position]
    if prefix < 0x80:
        return False, position, position + 1
    is_list = prefix >= 0xC0
    short = prefix - (0xC0 if is_list else 0x80)
    start = position + 1
    if short <= SHORT_LIMIT:
        stop = start + short
    else:
        start += short - SHORT_LIMIT
        if start > end:
            raise DecodeError("rlp_truncated", f"length of the item at byte {position} is cut off")
        if data[position + 1] == 0:
            raise DecodeError("rlp_non_canonical", f"leading zero in the length at byte {position}")
        length = int.from_bytes(data[position + 1 : start], "big")
        if length <= SHORT_LIMIT:
            raise DecodeError("rlp_non_canonical", f"long form for {length} bytes at byte {position}")
        stop = start + length
    if stop > end:
        raise DecodeError("rlp_truncated", f"item at byte {position} needs {stop - end} bytes more")
    if not is_list and short == 1 and data[start] < 0x80:
        raise DecodeError("rlp_non_canonical", f"prefix before a single byte at byte {position}")
    return is_list, start, stop


def list_span(data: bytes, position: int, end: int) -> tuple[int, int]:
    """Return the payload span of the list that starts at `position` and ends exactly at `end`."""
    is_list, start, stop = payload_span(data, position, end)
    if not is_list:
        raise DecodeError("rlp_not_a_list", f"expected a list at byte {position}, found a string")
    if stop != end:
        raise DecodeError("rlp_trailing_bytes", f"{end - stop} bytes after the list at byte {position}")
    return start, stop


def decode(data: bytes) -> Item:
    """Decode exactly one item; byte strings come back as bytes, lists as lists."""
    item, stop = _decode_at(data, 0, len(data), MAX_DEPTH)
    if stop != len(data):
        raise DecodeError("rlp_trailing_bytes", f"{len(data) - stop} bytes after the item")
    return item


def decode_list(data: bytes) -> list[Item]:
    """Decode exactly one list."""
    item = decode(data)
    if isinstance(item, bytes):
        raise DecodeError("rlp_not_a_list", "expected a list, found a string")
    return item


def _decode_at(data: bytes, position: int, end: int, depth: int) -> tuple[Item, int]:
    is_list, start, stop = payload_span(data, position, end)
    if not is_list:
        return data[start:stop], stop
    if depth == 0:
        raise DecodeError("rlp_too_deep", f"lists nest deeper than {MAX_DEPTH} at byte {position}")
    items: list[Item] = []
    while start < stop:
        item, start = _decode_at(data, start, stop, depth - 1)
        items.append(item)
    return items, stop


def integer(item: Item, *, bits: int, name: str) -> int:
    """Read a scalar: big-endian, no leading zeros, at most `bits` wide."""
    if not isinstance(item, bytes):
        raise DecodeError("unexpected_list", f"{name} is a list, expected an integer")
    if item and item[0] == 0:
        raise DecodeError("leading_zero", f"{name} starts with a zero byte")
    if len(item) * 8 > bits:
        raise DecodeError("integer_too_large", f"{name} has {len(item)} bytes, at most {bits // 8} fit")
    return int.from_bytes(item, "big")


def fixed(item: Item, length: int, *, name: str) -> bytes:
    """Read a byte string of exactly `length` bytes."""
    if not isinstance(item, bytes):
        raise DecodeError("unexpected_list", f"{name} is a list, expected {length} bytes")
    if len(item) != length:
        raise DecodeError("wrong_length", f"{name} has {len(item)} bytes, expected {length}")
    return item


def text(item: Item, *, name: str) -> bytes:
    """Read a byte string of any length."""
    if not isinstance(item, bytes):
        raise DecodeError("unexpected_list", f"{name} is a list, expected bytes")
    return item


def items(item: Item, *, name: str) -> list[Item]:
    """Read a list."""
    if isinstance(item, bytes):
        raise DecodeError("rlp_not_a_list", f"{name} is a string, expected a list")
    return item


def big_endian(value: int) -> bytes:
    """Return the shortest big-endian bytes of `value`; empty for zero."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def header(length: int, offset: int) -> bytes:
    """Return the header of a payload of `length` bytes; `offset` is 0x80 for strings, 0xC0 for lists."""
    if length <= SHORT_LIMIT:
        return bytes((offset + length,))
    size = big_endian(length)
    return bytes((offset + SHORT_LIMIT + len(size),)) + size


def encode_bytes(value: bytes) -> bytes:
    """Encode a byte string."""
    if len(value) == 1 and value[0] < 0x80:
        return value
    return header(len(value), 0x80) + value


def encode_int(value: int) -> bytes:
    """Encode a scalar as its shortest big-endian bytes."""
    return encode_bytes(big_endian(value))


def encode_list(encoded: Sequence[bytes]) -> bytes:
    """Wrap items that are already encoded into a list."""
    payload = b"".join(encoded)
    return header(len(payload), 0xC0) + payload


def encode(item: Encodable) -> bytes:
    """Encode bytes, non-negative integers and (nested) sequences of them."""
    if isinstance(item, bytes):
        return encode_bytes(item)
    if isinstance(item, int):
        return encode_int(item)
    return encode_list([encode(part) for part in item])
