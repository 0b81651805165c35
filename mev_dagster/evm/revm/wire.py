"""Packing for `mev_native`: accounts as one column, a transaction as one record (native/src/wire.rs reads).

Big-endian, lengths before contents.
"""

from collections.abc import Iterable, Mapping
from struct import pack

from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.revm.told import ToldChanges
from mev_dagster.evm.types import Account, AccountDiff
from mev_dagster.evm.validate import blob_gas

_REFUSED, _CALLS, _PROTECTED, _HAS_TIP = 1, 2, 4, 8
_LARGEST_64 = (1 << 64) - 1
_NO_ADDRESS = bytes(20)


def word(value: int) -> bytes:
    """Return a number as 32 bytes."""
    return value.to_bytes(32, "big")


def pack_accounts(accounts: Iterable[tuple[bytes, Account]]) -> bytes:
    """Return a column of accounts with their known slots."""
    parts: list[bytes] = []
    for address, account in accounts:
        parts += (
            address,
            b"\x01" if account.exists else b"\x00",
            account.balance_wei.to_bytes(32, "big"),
            pack(">Q", account.nonce),
            account.code_hash,
            pack(">I", len(account.storage)),
        )
        for slot, value in account.storage.items():
            parts += (slot.to_bytes(32, "big"), value.to_bytes(32, "big"))
    return b"".join(parts)


_DELETED, _CLEARED, _BALANCE, _NONCE, _CODE = 1, 2, 4, 8, 16
_NO_CODE = bytes(32)


def pack_changes(state_diff: Mapping[bytes, AccountDiff]) -> bytes:
    """Return a column of changed accounts, for the root after them (native/src/state_root.rs reads)."""
    if isinstance(state_diff, ToldChanges):
        return state_diff.packed()
    parts: list[bytes] = []
    for address, diff in state_diff.items():
        flags = (
            (_DELETED if diff.deleted else 0)
            | (_CLEARED if diff.storage_cleared else 0)
            | (_BALANCE if diff.balance_wei is not None else 0)
            | (_NONCE if diff.nonce is not None else 0)
            | (_CODE if diff.code is not None else 0)
        )
        parts += (
            address,
            bytes([flags]),
            word(diff.balance_wei or 0),
            pack(">Q", diff.nonce or 0),
            _NO_CODE if diff.code is None else keccak(diff.code),
            pack(">I", len(diff.storage)),
        )
        for slot, value in diff.storage.items():
            parts += (word(slot), word(value))
    return b"".join(parts)


def pack_transaction(tx: Transaction, *, refused: bool) -> bytes:
    """Return the record of a transaction; `refused` when no block of the fork may hold it."""
    too_large = max(tx.nonce, tx.gas_limit, tx.chain_id or 0) > _LARGEST_64
    flags = (
        (_REFUSED if refused or too_large else 0)
        | (_CALLS if tx.to is not None else 0)
        | (_PROTECTED if tx.chain_id is not None else 0)
        | (_HAS_TIP if tx.max_priority_fee_per_gas_wei is not None else 0)
    )
    parts = [
        pack(">BB", flags, tx.type),
        tx.sender,
        tx.to or _NO_ADDRESS,
        pack(
            ">QQQQ",
            min(tx.nonce, _LARGEST_64),
            min(tx.gas_limit, _LARGEST_64),
            min(tx.chain_id or 0, _LARGEST_64),
            blob_gas(tx),
        ),
        word(tx.value_wei),
        word(tx.fee_cap_wei),
        word(tx.max_priority_fee_per_gas_wei or 0),
        word(tx.max_fee_per_blob_gas_wei or 0),
        pack(">I", len(tx.data)),
        tx.data,
        pack(">I", len(tx.access_list)),
    ]
    for entry in tx.access_list:
        parts += (entry.address, pack(">I", len(entry.storage_keys)), *entry.storage_keys)
    parts += (pack(">I", len(tx.blob_versioned_hashes)), *tx.blob_versioned_hashes)
    parts.append(pack(">I", len(tx.authorization_list)))
    for signed in tx.authorization_list:
        parts += (
            word(signed.chain_id),
            signed.address,
            pack(">Q", signed.nonce),
            b"\x00" if signed.authority is None else b"\x01",
            signed.authority or _NO_ADDRESS,
        )
    return b"".join(parts)
