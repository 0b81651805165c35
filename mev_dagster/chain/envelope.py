"""The hot part of decoding: split a raw transaction into its fields, once, over the bytes as they came.

Every rule that needs nothing but the bytes is checked here: canonical RLP, field counts, kinds and widths
(EIP-2718, 2930, 1559, 4844, 7702), signature ranges, low s (EIP-2), the nonce limit (EIP-2681), no contract
creation and no empty lists where a type forbids them. Rules that depend on the fork are in `validity`.
Nothing is copied but the fields; the signing digest hashes a slice of the input behind a new list header.
"""

from typing import NamedTuple, TypeAlias

from sha3 import keccak_256

from mev_dagster.chain.ecdsa import SECP256K1_HALF_N, SECP256K1_N
from mev_dagster.chain.rlp import SHORT_LIMIT, encode_int, header, list_span, payload_span
from mev_dagster.errors import DecodeError

LEGACY, ACCESS_LIST, DYNAMIC_FEE, BLOB, SET_CODE = range(5)

MAX_NONCE = 2**64 - 2
HASH_PREFIX = 0xA0  # RLP prefix of a 32-byte string
ADDRESS_PREFIX = 0x94  # RLP prefix of a 20-byte string

Span: TypeAlias = tuple[int, int]
AccessPairs: TypeAlias = tuple[tuple[bytes, tuple[bytes, ...]], ...]


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
    r: int
    s: int
    y_parity: int
    signature: bytes
    signing_hash: bytes


# Number of fields, and a bit for each field that is a list, by transaction type.
_FIELD_COUNTS = (9, 11, 12, 14, 13)
_LIST_FIELDS = (0, 1 << 7, 1 << 8, 1 << 8 | 1 << 10, 1 << 8 | 1 << 9)
_TYPE_BYTES = tuple(bytes((kind,)) for kind in range(5))


def _split(raw: bytes, position: int, end: int) -> tuple[list[bytes], list[Span], int, int]:
    """Split a list payload: string contents, spans of list payloads, bit mask of lists, start of `v`.

    A list leaves an empty string in its place, so that indices count fields. The last three fields of every
    transaction are the signature; what stands before them is what was signed.
    """
    contents: list[bytes] = []
    lists: list[Span] = []
    starts: list[int] = []
    mask = 0
    while position < end:
        starts.append(position)
        prefix = raw[position]
        if prefix < 0x80:
            contents.append(raw[position : position + 1])
            position += 1
        elif prefix <= 0x80 + SHORT_LIMIT and (stop := position + prefix - 0x7F) <= end:
            content = raw[position + 1 : stop]
            if prefix == 0x81 and content < b"\x80":
                raise DecodeError("rlp_non_canonical", f"prefix before a single byte at byte {position}")
            contents.append(content)
            position = stop
        else:
            is_list, start, stop = payload_span(raw, position, end)
            if is_list:
                mask |= 1 << len(contents)
                lists.append((start, stop))
                contents.append(b"")
            else:
                contents.append(raw[start:stop])
            position = stop
    return contents, lists, mask, starts[-3] if len(starts) > 2 else end


def _uint(content: bytes, width: int, name: str) -> int:
    if len(content) > width:
        raise DecodeError("integer_too_large", f"{name} has {len(content)} bytes, at most {width} fit")
    if content and not content[0]:
        raise DecodeError("leading_zero", f"{name} starts with a zero byte")
    return int.from_bytes(content, "big")


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
            raise DecodeError("rlp_not_a_list", f"access list entry at byte {position} is not a list")
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
            raise DecodeError("rlp_not_a_list", f"authorization at byte {position} is not a list")
        contents, _, mask, signed_end = _split(raw, start, stop)
        if len(contents) != 6 or mask:
            raise DecodeError("wrong_field_count", f"authorization at byte {position} is not 6 strings")
        chain_id, address, nonce, y_parity, r, s = contents
        if len(address) != 20:
            raise DecodeError("wrong_length", f"authorization address has {len(address)} bytes, expected 20")
        signed = raw[start:signed_end]
        found.append(
            AuthorizationFields(
                _uint(chain_id, 32, "authorization chain_id"),
                address,
                _uint(nonce, 8, "authorization nonce"),
                _uint(y_parity, 1, "authorization y_parity"),
                _uint(r, 32, "authorization r"),
                _uint(s, 32, "authorization s"),
                keccak_256(b"\x05" + header(len(signed), 0xC0) + signed).digest(),
            )
        )
        position = stop
    return tuple(found)


def split_transaction(raw: bytes, *, allow_high_s: bool = False) -> Envelope:  # noqa: PLR0915 - one flat pass
    """Split a raw transaction in its canonical (consensus) form into checked fields.

    `allow_high_s` admits what Frontier blocks hold: unprotected legacy signatures with s above n/2.
    """
    if not raw:
        raise DecodeError("empty", "no bytes")
    kind = raw[0]
    if kind >= 0xC0:
        kind = LEGACY
        position, end = list_span(raw, 0, len(raw))
    elif 0 < kind <= SET_CODE:
        position, end = list_span(raw, 1, len(raw))
    else:
        raise DecodeError("unknown_type", f"first byte 0x{kind:02x} is no transaction type")

    contents, lists, mask, signed_end = _split(raw, position, end)
    if len(contents) != _FIELD_COUNTS[kind]:
        raise DecodeError(
            "wrong_field_count", f"type {kind} has {_FIELD_COUNTS[kind]} fields, found {len(contents)}"
        )
    if mask != _LIST_FIELDS[kind]:
        raise DecodeError("unexpected_list", f"type {kind} has a list where a string belongs, or the reverse")

    chain_id: int | None
    gas_price: int | None = None
    max_fee: int | None = None
    max_priority_fee: int | None = None
    max_blob_fee: int | None = None
    access_list: AccessPairs = ()
    blob_hashes: tuple[bytes, ...] = ()
    authorizations: tuple[AuthorizationFields, ...] = ()
    if kind == DYNAMIC_FEE:
        chain, nonce_, tip, fee, gas, to, value, data, _, v_, r_, s_ = contents
        max_priority_fee = _uint(tip, 32, "max_priority_fee_per_gas")
        max_fee = _uint(fee, 32, "max_fee_per_gas")
    elif kind == LEGACY:
        nonce_, price, gas, to, value, data, v_, r_, s_ = contents
        gas_price = _uint(price, 32, "gas_price")
        chain = b""
    elif kind == ACCESS_LIST:
        chain, nonce_, price, gas, to, value, data, _, v_, r_, s_ = contents
        gas_price = _uint(price, 32, "gas_price")
    elif kind == BLOB:
        chain, nonce_, tip, fee, gas, to, value, data, _, blob_fee, _, v_, r_, s_ = contents
        max_priority_fee = _uint(tip, 32, "max_priority_fee_per_gas")
        max_fee = _uint(fee, 32, "max_fee_per_gas")
        max_blob_fee = _uint(blob_fee, 32, "max_fee_per_blob_gas")
        blob_hashes = _hashes(raw, lists[1], "blob_versioned_hashes")
        if not blob_hashes:
            raise DecodeError("no_blobs", "a blob transaction carries at least one versioned hash")
    else:
        chain, nonce_, tip, fee, gas, to, value, data, _, _, v_, r_, s_ = contents
        max_priority_fee = _uint(tip, 32, "max_priority_fee_per_gas")
        max_fee = _uint(fee, 32, "max_fee_per_gas")
        authorizations = _authorizations(raw, lists[1])
        if not authorizations:
            raise DecodeError(
                "no_authorizations", "a set-code transaction carries at least one authorization"
            )

    nonce = _uint(nonce_, 8, "nonce")
    if nonce > MAX_NONCE:
        raise DecodeError("nonce_too_large", "the nonce limit is 2^64 - 2 (EIP-2681)")
    if len(to) != 20 and (to or kind >= BLOB):
        raise DecodeError(
            "wrong_length", f"to has {len(to)} bytes, expected 20" + ("" if kind >= BLOB else " or 0")
        )

    r = _uint(r_, 32, "r")
    s = _uint(s_, 32, "s")
    signed = raw[position:signed_end]
    if kind:
        chain_id = _uint(chain, 8, "chain_id")
        y_parity = v = _uint(v_, 1, "y_parity")
        if v > 1:
            raise DecodeError("bad_y_parity", f"y_parity is {v}, expected 0 or 1")
        access_start, access_stop = lists[0]
        if access_start != access_stop:
            access_list = _access_list(raw, lists[0])
        preimage = _TYPE_BYTES[kind] + header(len(signed), 0xC0) + signed
        high_s_allowed = False
    else:
        v = _uint(v_, 9, "v")
        if v >= 35:
            chain_id, y_parity = divmod(v - 35, 2)
            if chain_id >= 2**64:
                raise DecodeError("integer_too_large", f"chain id {chain_id} is wider than 64 bits")
            signed += encode_int(chain_id) + b"\x80\x80"
            high_s_allowed = False
        elif v in (27, 28):
            chain_id, y_parity = None, v - 27
            high_s_allowed = allow_high_s
        else:
            raise DecodeError("bad_v", f"v is {v}, expected 27, 28 or at least 35")
        preimage = header(len(signed), 0xC0) + signed

    if not 0 < r < SECP256K1_N or not 0 < s < SECP256K1_N:
        raise DecodeError("signature_out_of_range", "r and s must lie between 1 and the group order")
    if s > SECP256K1_HALF_N and not high_s_allowed:
        raise DecodeError("high_s", "s is above half of the group order (EIP-2)")

    return Envelope(
        keccak_256(raw).digest(),
        kind,
        chain_id,
        nonce,
        to,
        _uint(value, 32, "value"),
        _uint(gas, 8, "gas_limit"),
        gas_price,
        max_fee,
        max_priority_fee,
        max_blob_fee,
        data,
        access_list,
        blob_hashes,
        authorizations,
        v,
        r,
        s,
        y_parity,
        r_.rjust(32, b"\0") + s_.rjust(32, b"\0"),
        keccak_256(preimage).digest(),
    )
