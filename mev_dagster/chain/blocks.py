"""Headers, withdrawals and whole blocks of every fork."""

from dataclasses import dataclass

from mev_dagster.chain.transactions import Transaction


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A validator withdrawal (EIP-4895); the amount is in gwei as on the wire."""

    index: int
    validator_index: int
    address: bytes
    amount_gwei: int


@dataclass(frozen=True, slots=True)
class Header:
    """A block header; fields a fork does not have are None."""

    parent_hash: bytes
    uncles_hash: bytes
    coinbase: bytes
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    logs_bloom: bytes
    difficulty: int
    number: int
    gas_limit: int
    gas_used: int
    timestamp: int
    extra_data: bytes
    mix_hash: bytes
    nonce: bytes
    base_fee_per_gas_wei: int | None = None
    withdrawals_root: bytes | None = None
    blob_gas_used: int | None = None
    excess_blob_gas: int | None = None
    parent_beacon_block_root: bytes | None = None
    requests_hash: bytes | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A header with its body. `hash` is the header's hash."""

    hash: bytes
    header: Header
    transactions: tuple[Transaction, ...]
    uncles: tuple[Header, ...] = ()
    withdrawals: tuple[Withdrawal, ...] | None = None
