"""The fields of each transaction type, in wire order, and the reading of one list of fields.

A layout says of every field what it is and how wide it may be; reading follows it and refuses all else.
"""

from typing import Any, TypeAlias

from mev_dagster.chain.rlp import list_span, payload_span
from mev_dagster.errors import DecodeError

LEGACY, ACCESS_LIST, DYNAMIC_FEE, BLOB, SET_CODE = range(5)

HASH_PREFIX = 0xA0  # RLP prefix of a 32-byte string
ADDRESS_PREFIX = 0x94  # RLP prefix of a 20-byte string

Span: TypeAlias = tuple[int, int]

# What a field is: a positive number is an integer of at most so many bytes.
LIST_FIELD, ADDRESS_FIELD, ADDRESS_OR_NONE_FIELD, BYTES_FIELD = 0, -1, -2, -3
Layout: TypeAlias = tuple[tuple[int, str], ...]

_CALL: Layout = ((8, "gas_limit"), (ADDRESS_OR_NONE_FIELD, "to"), (32, "value"), (BYTES_FIELD, "data"))
_CALL_TO: Layout = ((8, "gas_limit"), (ADDRESS_FIELD, "to"), (32, "value"), (BYTES_FIELD, "data"))
_FEES: Layout = ((32, "max_priority_fee_per_gas"), (32, "max_fee_per_gas"))
SIGNED_FIELDS: tuple[Layout, ...] = (
    ((8, "nonce"), (32, "gas_price"), *_CALL),
    ((8, "chain_id"), (8, "nonce"), (32, "gas_price"), *_CALL, (LIST_FIELD, "access_list")),
    ((8, "chain_id"), (8, "nonce"), *_FEES, *_CALL, (LIST_FIELD, "access_list")),
    (
        *((8, "chain_id"), (8, "nonce"), *_FEES, *_CALL_TO, (LIST_FIELD, "access_list")),
        *((32, "max_fee_per_blob_gas"), (LIST_FIELD, "blob_versioned_hashes")),
    ),
    (
        *((8, "chain_id"), (8, "nonce"), *_FEES, *_CALL_TO, (LIST_FIELD, "access_list")),
        (LIST_FIELD, "authorization_list"),
    ),
)
"""The fields of each transaction type that its sender signs, in wire order."""

SIGNATURE: Layout = ((1, "y_parity"), (32, "r"), (32, "s"))
LEGACY_SIGNATURE: Layout = ((9, "v"), (32, "r"), (32, "s"))
AUTHORIZATION: Layout = ((32, "chain_id"), (ADDRESS_FIELD, "address"), (8, "nonce"))


def whole_list(raw: bytes, position: int) -> tuple[int, int]:
    """Return the payload span of the list that fills `raw` from `position` on.

    Transactions of 56 to 65,535 bytes have one of two headers, which are compared in place.
    """
    end = len(raw)
    length = end - position - 2
    if 55 < length < 256:
        if raw[position] == 0xF8 and raw[position + 1] == length:
            return position + 2, end
    elif 256 < length <= 65_536 and raw[position] == 0xF9:
        length -= 1
        if raw[position + 1] << 8 | raw[position + 2] == length:
            return position + 3, end
    return list_span(raw, position, end)


def read_fields(raw: bytes, position: int, end: int, layout: Layout) -> tuple[list[Any], int]:
    """Read the fields of `layout` from a list payload: integers, bytes, and the payload spans of lists.

    The encodings that nearly all fields have are read in place; `_read_field` reads the others and, where
    something is wrong, says what.
    """
    values: list[Any] = []
    for kind, name in layout:
        prefix = raw[position] if position < end else 0
        if kind > 0:
            if 0 < prefix <= 0x80:
                values.append(prefix & 0x7F)
                position += 1
                continue
            stop = position + prefix - 0x7F
            if 0x81 < prefix <= 0x80 + kind and stop <= end and raw[position + 1]:
                values.append(int.from_bytes(raw[position + 1 : stop]))
                position = stop
                continue
        elif prefix == ADDRESS_PREFIX and kind != LIST_FIELD and position + 21 <= end:
            values.append(raw[position + 1 : position + 21])
            position += 21
            continue
        elif prefix == 0xC0 and kind == LIST_FIELD:
            position += 1
            values.append((position, position))
            continue
        value, position = _read_field(raw, position, end, kind, name)
        values.append(value)
    return values, position


def _read_field(raw: bytes, position: int, end: int, kind: int, name: str) -> tuple[int | bytes | Span, int]:
    """Read any one field, and name it in what is raised."""
    if position >= end:
        raise DecodeError("wrong_field_count", f"the list ends before {name}")
    is_list, start, stop = payload_span(raw, position, end)
    length = stop - start
    if is_list != (kind == LIST_FIELD):
        raise DecodeError(
            "unexpected_kind", f"{name} is a {'list' if is_list else 'string'}, expected the other"
        )
    if kind == LIST_FIELD:
        return (start, stop), stop
    if kind > 0:
        if length > kind:
            raise DecodeError("integer_too_large", f"{name} has {length} bytes, at most {kind} fit")
        if length and not raw[start]:
            raise DecodeError("leading_zero", f"{name} starts with a zero byte")
        return int.from_bytes(raw[start:stop]), stop
    if kind == ADDRESS_FIELD and length != 20:
        raise DecodeError("wrong_length", f"{name} has {length} bytes, expected 20")
    if kind == ADDRESS_OR_NONE_FIELD and length not in (0, 20):
        raise DecodeError("wrong_length", f"{name} has {length} bytes, expected 20 or 0")
    return raw[start:stop], stop


def read_signature(raw: bytes, position: int, end: int, kind: int) -> tuple[int, bytes]:
    """Read v, r and s, which end the list; return v and r || s in 64 bytes."""
    v = raw[position] if position < end else 0
    if (
        position + 67 == end
        and raw[position + 1] == raw[position + 34] == HASH_PREFIX
        and raw[position + 2]
        and raw[position + 35]
        and 0 < v <= 0x80
    ):  # v in one byte, r and s in 32, as in 127 of 128 signatures
        return v & 0x7F, raw[position + 2 : position + 34] + raw[position + 35 : end]
    (v, r, s), stop = read_fields(raw, position, end, SIGNATURE if kind else LEGACY_SIGNATURE)
    if stop != end:
        raise DecodeError(
            "wrong_field_count", f"type {kind} has {len(SIGNED_FIELDS[kind]) + 3} fields, found more"
        )
    return v, r.to_bytes(32, "big") + s.to_bytes(32, "big")
