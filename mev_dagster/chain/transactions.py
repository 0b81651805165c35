"""Transactions of types 0 to 4."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AccessListEntry:
    """One address with its storage keys (EIP-2930)."""

    address: bytes
    storage_keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Authorization:
    """One EIP-7702 authorization tuple; `authority` is the recovered signer, None when unrecoverable."""

    chain_id: int
    address: bytes
    nonce: int
    y_parity: int
    r: int
    s: int
    authority: bytes | None


@dataclass(frozen=True, slots=True)
class Transaction:
    """A signed transaction with its recovered sender.

    `raw` is the canonical consensus encoding (`type || rlp(fields)`, or the legacy RLP list), never a
    blob sidecar. `to` is None for contract creation. `v` is the signature's v as signed (0/1 for typed).
    """

    hash: bytes
    type: int
    chain_id: int | None
    nonce: int
    sender: bytes
    to: bytes | None
    value_wei: int
    gas_limit: int
    gas_price_wei: int | None
    max_fee_per_gas_wei: int | None
    max_priority_fee_per_gas_wei: int | None
    max_fee_per_blob_gas_wei: int | None
    data: bytes
    access_list: tuple[AccessListEntry, ...]
    blob_versioned_hashes: tuple[bytes, ...]
    authorization_list: tuple[Authorization, ...]
    v: int
    r: int
    s: int
    raw: bytes
