"""The lists in a transaction: access lists (EIP-2930), blob hashes (4844), authorizations (7702)."""

from typing import NamedTuple, TypeAlias

from sha3 import keccak_256

from mev_dagster.chain.fields import (
    ADDRESS_PREFIX,
    AUTHORIZATION,
    BLOB,
    HASH_PREFIX,
    SET_CODE,
    SIGNATURE,
    Span,
    read_fields,
)
from mev_dagster.chain.rlp import header, list_span, payload_span
from mev_dagster.errors import DecodeError

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
        fields, signed_end = read_fields(raw, start, stop, AUTHORIZATION)
        signature, after = read_fields(raw, signed_end, stop, SIGNATURE)
        if after != stop:
            raise DecodeError("wrong_field_count", f"authorization at byte {position} has more than 6 fields")
        signed = raw[start:signed_end]
        digest = keccak_256(b"\x05" + header(len(signed), 0xC0) + signed).digest()
        found.append(AuthorizationFields._make([*fields, *signature, digest]))
        position = stop
    return tuple(found)
