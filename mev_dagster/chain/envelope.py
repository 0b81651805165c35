"""The hot part of decoding: split a raw transaction into its fields, once, over the bytes as they came.

Every rule that needs nothing but the bytes is checked here: canonical RLP, field counts, kinds and widths
(EIP-2718, 2930, 1559, 4844, 7702), signature ranges, low s (EIP-2), the nonce limit (EIP-2681), no contract
creation and no empty lists where a type forbids them. Rules that depend on the fork are in `validity`.
Nothing is copied but the fields; the signing digest hashes a slice of the input behind a new list header.
"""

from typing import Any, NamedTuple, NoReturn, TypeAlias

from sha3 import keccak_256

from mev_dagster.chain.ecdsa import SECP256K1_HALF_N, SECP256K1_N
from mev_dagster.chain.rlp import encode_int, header, list_span, payload_span
from mev_dagster.errors import DecodeError

LEGACY, ACCESS_LIST, DYNAMIC_FEE, BLOB, SET_CODE = range(5)

MAX_NONCE = 2**64 - 2
HASH_PREFIX = 0xA0  # RLP prefix of a 32-byte string
ADDRESS_PREFIX = 0x94  # RLP prefix of a 20-byte string

Span: TypeAlias = tuple[int, int]
AccessPairs: TypeAlias = tuple[tuple[bytes, tuple[bytes, ...]], ...]

# What a field is: a positive number is an integer of at most so many bytes.
LIST_FIELD, ADDRESS_FIELD, ADDRESS_OR_NONE_FIELD, BYTES_FIELD = 0, -1, -2, -3
_Layout: TypeAlias = tuple[tuple[int, str], ...]

_CALL: _Layout = ((8, "gas_limit"), (ADDRESS_OR_NONE_FIELD, "to"), (32, "value"), (BYTES_FIELD, "data"))
_CALL_TO: _Layout = ((8, "gas_limit"), (ADDRESS_FIELD, "to"), (32, "value"), (BYTES_FIELD, "data"))
_FEES: _Layout = ((32, "max_priority_fee_per_gas"), (32, "max_fee_per_gas"))
SIGNED_FIELDS: tuple[_Layout, ...] = (
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

_SIGNATURE: _Layout = ((1, "y_parity"), (32, "r"), (32, "s"))
_LEGACY_SIGNATURE: _Layout = ((9, "v"), (32, "r"), (32, "s"))
_AUTHORIZATION: _Layout = ((32, "chain_id"), (ADDRESS_FIELD, "address"), (8, "nonce"))
# Bounds of r and s; among 32-byte strings the order of bytes is the order of numbers.
_ZERO = bytes(32)
_N = SECP256K1_N.to_bytes(32, "big")
_HIGHEST = (SECP256K1_N - 1).to_bytes(32, "big")
_HALF_N = SECP256K1_HALF_N.to_bytes(32, "big")
_TYPE_BYTES = (b"", b"\x01", b"\x02", b"\x03", b"\x04")
_NO_SPAN = (0, 0)


class AuthorizationFields(NamedTuple):
    """One EIP-7702 tuple as signed, with the digest its authority signed."""

    chain_id: int
    address: bytes
    nonce: int
    y_parity: int
    r: int
    s: int
    signing_hash: bytes


class Envelope(NamedTuple):
    """The fields of one transaction; what its type does not have is None or empty.

    `to` is empty for contract creation. `signature` is r || s in 64 bytes, `y_parity` its recovery bit.
    """

    hash: bytes
    type: int
    chain_id: int | None
    nonce: int
    to: bytes
    value_wei: int
    gas_limit: int
    gas_price_wei: int | None
    max_fee_per_gas_wei: int | None
    max_priority_fee_per_gas_wei: int | None
    max_fee_per_blob_gas_wei: int | None
    data: bytes
    access_list: AccessPairs
    blob_versioned_hashes: tuple[bytes, ...]
    authorizations: tuple[AuthorizationFields, ...]
    v: int
    y_parity: int
    signature: bytes
    signing_hash: bytes


def split_transaction(raw: bytes, *, allow_high_s: bool = False) -> Envelope:
    """Split a raw transaction in its canonical (consensus) form into checked fields; raises `DecodeError`.

    `allow_high_s` admits what Frontier blocks hold: unprotected legacy signatures with s above n/2.
    """
    return Envelope._make(transaction_fields(raw, allow_high_s))


def transaction_fields(raw: bytes, allow_high_s: bool) -> tuple[Any, ...]:
    """Return the fields of an `Envelope` as a plain tuple, for callers that make columns of them."""
    if not raw:
        raise DecodeError("empty", "no bytes")
    kind = raw[0]
    if kind >= 0xC0:
        return _legacy_fields(raw, allow_high_s)
    if not 0 < kind <= SET_CODE:
        raise DecodeError("unknown_type", f"first byte 0x{kind:02x} is no transaction type")

    start, end = _whole_list(raw, 1)
    fields, signed_end = _read(raw, start, end, SIGNED_FIELDS[kind])
    y_parity, signature = _read_signature(raw, signed_end, end, kind)

    max_fee = max_priority_fee = max_blob_fee = gas_price = None
    special = _NO_SPAN
    if kind == DYNAMIC_FEE:
        chain_id, nonce, max_priority_fee, max_fee, gas_limit, to, value, data, access = fields
    elif kind == ACCESS_LIST:
        chain_id, nonce, gas_price, gas_limit, to, value, data, access = fields
    elif kind == BLOB:
        (
            chain_id,
            nonce,
            max_priority_fee,
            max_fee,
            gas_limit,
            to,
            value,
            data,
            access,
            max_blob_fee,
            special,
        ) = fields
    else:
        chain_id, nonce, max_priority_fee, max_fee, gas_limit, to, value, data, access, special = fields

    if nonce > MAX_NONCE:
        raise DecodeError("nonce_too_large", "the nonce limit is 2^64 - 2 (EIP-2681)")
    if y_parity > 1:
        raise DecodeError("bad_y_parity", f"y_parity is {y_parity}, expected 0 or 1")
    if not _ZERO < signature[:32] < _N or not _ZERO < signature[32:] <= _HALF_N:
        _refuse_signature(signature)
    access_list, blob_hashes, authorizations = read_lists(raw, kind, access, special)
    return (
        keccak_256(raw).digest(),
        kind,
        chain_id,
        nonce,
        to,
        value,
        gas_limit,
        gas_price,
        max_fee,
        max_priority_fee,
        max_blob_fee,
        data,
        access_list,
        blob_hashes,
        authorizations,
        y_parity,
        y_parity,
        signature,
        signing_hash(kind, raw[start:signed_end]),
    )


def _legacy_fields(raw: bytes, allow_high_s: bool) -> tuple[Any, ...]:
    start, end = _whole_list(raw, 0)
    (nonce, gas_price, gas_limit, to, value, data), signed_end = _read(raw, start, end, SIGNED_FIELDS[LEGACY])
    v, signature = _read_signature(raw, signed_end, end, LEGACY)
    if nonce > MAX_NONCE:
        raise DecodeError("nonce_too_large", "the nonce limit is 2^64 - 2 (EIP-2681)")

    signed = raw[start:signed_end]
    chain_id: int | None = None
    if v >= 35:
        chain_id, y_parity = divmod(v - 35, 2)
        if chain_id >= 2**64:
            raise DecodeError("integer_too_large", f"chain id {chain_id} is wider than 64 bits")
        signed += replay_protection(chain_id)
    elif v in (27, 28):
        y_parity = v - 27
    else:
        raise DecodeError("bad_v", f"v is {v}, expected 27, 28 or at least 35")
    highest_s = _HIGHEST if allow_high_s and chain_id is None else _HALF_N
    if not _ZERO < signature[:32] < _N or not _ZERO < signature[32:] <= highest_s:
        _refuse_signature(signature)
    return (
        keccak_256(raw).digest(),
        LEGACY,
        chain_id,
        nonce,
        to,
        value,
        gas_limit,
        gas_price,
        None,
        None,
        None,
        data,
        (),
        (),
        (),
        v,
        y_parity,
        signature,
        signing_hash(LEGACY, signed),
    )


_HEADERS = [header(length, 0xC0) for length in range(256)]


def signing_hash(kind: int, signed: bytes) -> bytes:
    """Return the digest that was signed, from the encoded fields that precede the signature."""
    length = len(signed)
    digest: bytes = keccak_256(
        _TYPE_BYTES[kind] + (_HEADERS[length] if length < 256 else header(length, 0xC0)) + signed
    ).digest()
    return digest


def replay_protection(chain_id: int) -> bytes:
    """Return what EIP-155 appends to the signed fields of a legacy transaction."""
    return encode_int(chain_id) + b"\x80\x80"


def _whole_list(raw: bytes, position: int) -> tuple[int, int]:
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


def _read(raw: bytes, position: int, end: int, layout: _Layout) -> tuple[list[Any], int]:
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


def _read_signature(raw: bytes, position: int, end: int, kind: int) -> tuple[int, bytes]:
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
    (v, r, s), stop = _read(raw, position, end, _SIGNATURE if kind else _LEGACY_SIGNATURE)
    if stop != end:
        raise DecodeError(
            "wrong_field_count", f"type {kind} has {len(SIGNED_FIELDS[kind]) + 3} fields, found more"
        )
    return v, r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _refuse_signature(signature: bytes) -> NoReturn:
    if not _ZERO < signature[:32] < _N or not _ZERO < signature[32:] < _N:
        raise DecodeError("signature_out_of_range", "r and s must lie between 1 and the group order")
    raise DecodeError("high_s", "s is above half of the group order (EIP-2)")


def read_lists(
    raw: bytes, kind: int, access: Span, special: Span
) -> tuple[AccessPairs, tuple[bytes, ...], tuple[AuthorizationFields, ...]]:
    """Read the access list, and what `special` spans: blob hashes of type 3, authorizations of type 4."""
    blob_hashes: tuple[bytes, ...] = ()
    authorizations: tuple[AuthorizationFields, ...] = ()
    if kind == BLOB:
        blob_hashes = _hashes(raw, special, "blob_versioned_hashes")
        if not blob_hashes:
            raise DecodeError("no_blobs", "a blob transaction carries at least one versioned hash")
    elif kind == SET_CODE:
        authorizations = _authorizations(raw, special)
        if not authorizations:
            raise DecodeError(
                "no_authorizations", "a set-code transaction carries at least one authorization"
            )
    return _access_list(raw, access) if access[0] != access[1] else (), blob_hashes, authorizations


def _hashes(raw: bytes, span: Span, name: str) -> tuple[bytes, ...]:
    """Read a list of 32-byte strings."""
    start, stop = span
    if (stop - start) % 33:
        raise DecodeError("wrong_length", f"{name} is not a list of 32-byte items")
    for position in range(start, stop, 33):
        if raw[position] != HASH_PREFIX:
            raise DecodeError(
                "wrong_length", f"{name} holds an item that is not 32 bytes, at byte {position}"
            )
    return tuple([raw[position + 1 : position + 33] for position in range(start, stop, 33)])


def _access_list(raw: bytes, span: Span) -> AccessPairs:
    position, end = span
    entries = []
    while position < end:
        is_list, start, stop = payload_span(raw, position, end)
        if not is_list:
            raise DecodeError("unexpected_kind", f"access list entry at byte {position} is not a list")
        if stop - start < 22 or raw[start] != ADDRESS_PREFIX:
            raise DecodeError("wrong_length", f"access list entry at byte {position} has no 20-byte address")
        keys = list_span(raw, start + 21, stop)
        entries.append((raw[start + 1 : start + 21], _hashes(raw, keys, "storage_keys")))
        position = stop
    return tuple(entries)


def _authorizations(raw: bytes, span: Span) -> tuple[AuthorizationFields, ...]:
    position, end = span
    found = []
    while position < end:
        is_list, start, stop = payload_span(raw, position, end)
        if not is_list:
            raise DecodeError("unexpected_kind", f"authorization at byte {position} is not a list")
        fields, signed_end = _read(raw, start, stop, _AUTHORIZATION)
        signature, after = _read(raw, signed_end, stop, _SIGNATURE)
        if after != stop:
            raise DecodeError("wrong_field_count", f"authorization at byte {position} has more than 6 fields")
        signed = raw[start:signed_end]
        digest = keccak_256(b"\x05" + header(len(signed), 0xC0) + signed).digest()
        found.append(AuthorizationFields._make([*fields, *signature, digest]))
        position = stop
    return tuple(found)
