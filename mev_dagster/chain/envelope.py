"""The hot part of decoding: split a raw transaction into its fields, once, over the bytes as they came.

Every rule that needs nothing but the bytes is checked here: canonical RLP, field counts, kinds and widths
(EIP-2718, 2930, 1559, 4844, 7702), signature ranges, low s (EIP-2), the nonce limit (EIP-2681), no contract
creation and no empty lists where a type forbids them. Rules that depend on the fork are in `validity`.
Nothing is copied but the fields; the signing digest hashes a slice of the input behind a new list header.
"""

from typing import Any, NamedTuple, NoReturn

from sha3 import keccak_256

from mev_dagster.chain.ecdsa import SECP256K1_HALF_N, SECP256K1_N
from mev_dagster.chain.fields import (
    ACCESS_LIST,
    BLOB,
    DYNAMIC_FEE,
    LEGACY,
    SET_CODE,
    SIGNED_FIELDS,
    read_fields,
    read_signature,
    whole_list,
)
from mev_dagster.chain.nested_lists import AccessPairs, AuthorizationFields, read_lists
from mev_dagster.chain.rlp import encode_int, header
from mev_dagster.errors import DecodeError

__all__ = ["ACCESS_LIST", "BLOB", "DYNAMIC_FEE", "LEGACY", "SET_CODE", "Envelope", "split_transaction"]

MAX_NONCE = 2**64 - 2
_NO_SPAN = (0, 0)
# Bounds of r and s; among 32-byte strings the order of bytes is the order of numbers.
_ZERO = bytes(32)
_N = SECP256K1_N.to_bytes(32, "big")
_HIGHEST = (SECP256K1_N - 1).to_bytes(32, "big")
_HALF_N = SECP256K1_HALF_N.to_bytes(32, "big")
_TYPE_BYTES = (b"", b"\x01", b"\x02", b"\x03", b"\x04")


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

    start, end = whole_list(raw, 1)
    fields, signed_end = read_fields(raw, start, end, SIGNED_FIELDS[kind])
    y_parity, signature = read_signature(raw, signed_end, end, kind)

    max_fee = max_priority_fee = max_blob_fee = gas_price = None
    special = _NO_SPAN
    if kind == BLOB:
        *fields, max_blob_fee, special = fields
    elif kind == SET_CODE:
        *fields, special = fields
    if kind == ACCESS_LIST:
        chain_id, nonce, gas_price, gas_limit, to, value, data, access = fields
    else:
        chain_id, nonce, max_priority_fee, max_fee, gas_limit, to, value, data, access = fields

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
    start, end = whole_list(raw, 0)
    (nonce, gas_price, gas_limit, to, value, data), signed_end = read_fields(
        raw, start, end, SIGNED_FIELDS[LEGACY]
    )
    v, signature = read_signature(raw, signed_end, end, LEGACY)
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


def _refuse_signature(signature: bytes) -> NoReturn:
    if not _ZERO < signature[:32] < _N or not _ZERO < signature[32:] < _N:
        raise DecodeError("signature_out_of_range", "r and s must lie between 1 and the group order")
    raise DecodeError("high_s", "s is above half of the group order (EIP-2)")
