"""A raw transaction as a line of hex, and as a JSON-ready object: the two ends of `mev decode`."""

from typing import Any

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.transactions import (
    MAX_NETWORK_BYTES,
    Transaction,
    decode_transaction,
    strip_sidecar,
)
from mev_dagster.chain.validity import validate_for_fork, validate_for_some_fork
from mev_dagster.errors import DecodeError

MAX_LINE_BYTES = 2 * MAX_NETWORK_BYTES + 16  # two digits a byte, "0x" and the line's end


def parse_hex(line: bytes) -> bytes:
    """Return the bytes a line spells, with or without 0x."""
    digits = line[2:] if line[:2] in (b"0x", b"0X") else line
    if len(digits) % 2:
        raise DecodeError("bad_hex", f"{len(digits)} hex digits, expected an even number")
    try:
        return bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        raise DecodeError("bad_hex", f"{line[:32]!r} is not hex") from None


def decode_line(line: bytes, *, fork: Fork | None = None, chain_id: int | None = None) -> dict[str, Any]:
    """Decode one stripped line, in consensus or network form; raises `DecodeError`.

    With a fork the transaction must be valid in its blocks, without one in those of some fork.
    """
    if len(line) > MAX_LINE_BYTES:
        raise DecodeError("too_large", f"line longer than {MAX_LINE_BYTES} characters")
    consensus, sidecar_bytes = strip_sidecar(parse_hex(line))
    transaction = decode_transaction(consensus, allow_high_s=fork is not None and fork < Fork.HOMESTEAD)
    if fork is None:
        validate_for_some_fork(transaction, chain_id=chain_id)
    else:
        validate_for_fork(transaction, fork, chain_id=chain_id)
    return {**describe(transaction), "sidecar_len": sidecar_bytes}


def describe(transaction: Transaction) -> dict[str, Any]:
    """Return every canonical field under the name the store's columns use; fields the type lacks are None."""
    return {
        "hash": transaction.hash,
        "type": transaction.type,
        "chain_id": transaction.chain_id,
        "nonce": transaction.nonce,
        "sender": transaction.sender,
        "to": transaction.to,
        "value_wei": transaction.value_wei,
        "gas_limit": transaction.gas_limit,
        "gas_price_wei": transaction.gas_price_wei,
        "max_fee_per_gas_wei": transaction.max_fee_per_gas_wei,
        "max_priority_fee_per_gas_wei": transaction.max_priority_fee_per_gas_wei,
        "max_fee_per_blob_gas_wei": transaction.max_fee_per_blob_gas_wei,
        "access_list": [
            {"address": entry.address, "storage_keys": entry.storage_keys}
            for entry in transaction.access_list
        ],
        "blob_versioned_hashes": transaction.blob_versioned_hashes,
        "authorization_list": [
            {
                "chain_id": item.chain_id,
                "address": item.address,
                "nonce": item.nonce,
                "y_parity": item.y_parity,
                "r": item.r.to_bytes(32, "big"),
                "s": item.s.to_bytes(32, "big"),
                "authority": item.authority,
            }
            for item in transaction.authorization_list
        ],
        "input": transaction.data,
        "input_len": transaction.input_len,
        "selector": transaction.selector,
        "v": transaction.v,
        "r": transaction.r.to_bytes(32, "big"),
        "s": transaction.s.to_bytes(32, "big"),
        "raw_len": transaction.raw_len,
    }
