"""The one judge of whether a transaction may be executed here; every engine asks it first.

Rules and their order follow go-ethereum's state transition and execution-specs. An invalid transaction is
a value with a stable code, never an exception out of a batch.
"""

from dataclasses import dataclass
from enum import StrEnum

from mev_dagster.chain.ecdsa import SECP256K1_HALF_N
from mev_dagster.chain.forks import GAS_PER_BLOB, Fork, blob_base_fee
from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.gas import (
    MAX_BLOBS_PER_TX,
    MAX_INITCODE_BYTES,
    TX_GAS_CAP,
    blob_gas,
    intrinsic_gas,
    max_blobs_per_block,
)
from mev_dagster.evm.types import BlockEnv

_MAX_NONCE = (1 << 64) - 1
_KZG_VERSION = 1
_DELEGATION_PREFIX = b"\xef\x01\x00"
_FIRST_FORK_OF_TYPE = {0: Fork.FRONTIER, 1: Fork.BERLIN, 2: Fork.LONDON, 3: Fork.CANCUN, 4: Fork.PRAGUE}


class Invalid(StrEnum):
    """Why a transaction cannot be executed, as a stable code."""

    TYPE_NOT_SUPPORTED = "type_not_supported"
    WRONG_CHAIN_ID = "wrong_chain_id"
    SIGNATURE = "invalid_signature"
    NONCE_TOO_LOW = "nonce_too_low"
    NONCE_TOO_HIGH = "nonce_too_high"
    NONCE_OVERFLOW = "nonce_overflow"
    SENDER_HAS_CODE = "sender_has_code"
    GAS_LIMIT_ABOVE_CAP = "gas_limit_above_cap"
    GAS_LIMIT_ABOVE_BLOCK = "gas_limit_above_block"
    FEE_BELOW_BASE = "fee_below_base"
    TIP_ABOVE_FEE = "tip_above_fee"
    INITCODE_TOO_LARGE = "initcode_too_large"
    INTRINSIC_GAS = "intrinsic_gas_too_low"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    BLOB_COUNT = "blob_count"
    BLOB_HASH_VERSION = "blob_hash_version"
    BLOB_FEE_BELOW_BASE = "blob_fee_below_base"
    BLOB_CREATE = "blob_create"
    EMPTY_AUTHORIZATION_LIST = "empty_authorization_list"
    AUTHORIZATION_CREATE = "authorization_create"
    # What only executing can tell; the transaction is not known to be invalid, its result is unknown.
    MISSING_STATE = "missing_state"
    STEP_LIMIT = "step_limit"
    TIME_LIMIT = "time_limit"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A code and what was expected and found."""

    code: Invalid
    detail: str


@dataclass(frozen=True, slots=True)
class Sender:
    """What validation has to know of the sending account."""

    balance_wei: int
    nonce: int
    code: bytes


@dataclass(frozen=True, slots=True)
class Room:
    """What is left in the block."""

    gas: int
    blob_gas: int


def whole_block(env: BlockEnv) -> Room:
    """Return the room in an empty block."""
    return Room(env.gas_limit, GAS_PER_BLOB * max_blobs_per_block(env.fork))


def validate_tx(tx: Transaction, env: BlockEnv, sender: Sender, room: Room) -> Rejection | None:
    """Return why the transaction cannot be executed next in this block, or None when it can."""
    return (
        _validate_form(tx, env)
        or _validate_nonce(tx, sender)
        or _validate_gas(tx, env, room)
        or _validate_blobs(tx, env, room)
        or _validate_funds(tx, sender)
    )


def _validate_form(tx: Transaction, env: BlockEnv) -> Rejection | None:
    first_fork = _FIRST_FORK_OF_TYPE.get(tx.type)
    if first_fork is None or env.fork < first_fork:
        return Rejection(Invalid.TYPE_NOT_SUPPORTED, f"type {tx.type} in {env.fork.name}")
    protected_too_early = tx.chain_id is not None and env.fork < Fork.SPURIOUS_DRAGON
    if protected_too_early or tx.chain_id not in {None, env.chain_id}:
        return Rejection(Invalid.WRONG_CHAIN_ID, f"signed for {tx.chain_id}, chain is {env.chain_id}")
    if tx.s > SECP256K1_HALF_N and env.fork >= Fork.HOMESTEAD:
        return Rejection(Invalid.SIGNATURE, "s is in the upper half of the curve order (EIP-2)")
    if tx.type == 4 and not tx.authorization_list:
        return Rejection(Invalid.EMPTY_AUTHORIZATION_LIST, "type 4 without authorizations")
    if tx.type == 4 and tx.to is None:
        return Rejection(Invalid.AUTHORIZATION_CREATE, "type 4 cannot create a contract")
    if tx.type == 3 and tx.to is None:
        return Rejection(Invalid.BLOB_CREATE, "type 3 cannot create a contract")
    return None


def _validate_nonce(tx: Transaction, sender: Sender) -> Rejection | None:
    if tx.nonce < sender.nonce:
        return Rejection(Invalid.NONCE_TOO_LOW, f"nonce {tx.nonce}, account has {sender.nonce}")
    if tx.nonce > sender.nonce:
        return Rejection(Invalid.NONCE_TOO_HIGH, f"nonce {tx.nonce}, account has {sender.nonce}")
    if tx.nonce >= _MAX_NONCE:
        return Rejection(Invalid.NONCE_OVERFLOW, f"nonce {tx.nonce} has no successor (EIP-2681)")
    if sender.code and not sender.code.startswith(_DELEGATION_PREFIX):
        return Rejection(Invalid.SENDER_HAS_CODE, "the sender is a contract (EIP-3607)")
    return None


def _validate_gas(tx: Transaction, env: BlockEnv, room: Room) -> Rejection | None:
    if env.fork >= Fork.OSAKA and tx.gas_limit > TX_GAS_CAP:
        return Rejection(Invalid.GAS_LIMIT_ABOVE_CAP, f"gas limit {tx.gas_limit}, cap is {TX_GAS_CAP}")
    if tx.gas_limit > room.gas:
        return Rejection(Invalid.GAS_LIMIT_ABOVE_BLOCK, f"gas limit {tx.gas_limit}, block has {room.gas}")
    if env.fork >= Fork.LONDON:
        assert env.base_fee_per_gas_wei is not None, "a block from London on has a base fee"
        cap, tip = tx.fee_cap_wei, tx.max_priority_fee_per_gas_wei or 0
        if tip > cap:
            return Rejection(Invalid.TIP_ABOVE_FEE, f"tip {tip} above fee {cap}")
        if cap < env.base_fee_per_gas_wei:
            return Rejection(Invalid.FEE_BELOW_BASE, f"fee {cap} below base fee {env.base_fee_per_gas_wei}")
    if env.fork >= Fork.SHANGHAI and tx.to is None and len(tx.data) > MAX_INITCODE_BYTES:
        return Rejection(
            Invalid.INITCODE_TOO_LARGE, f"{len(tx.data)} bytes of init code, at most {MAX_INITCODE_BYTES}"
        )
    required = intrinsic_gas(tx, env.fork).required
    if tx.gas_limit < required:
        return Rejection(Invalid.INTRINSIC_GAS, f"gas limit {tx.gas_limit}, needs {required}")
    return None


def _validate_blobs(tx: Transaction, env: BlockEnv, room: Room) -> Rejection | None:
    if tx.type != 3:
        return None
    count = len(tx.blob_versioned_hashes)
    per_tx = MAX_BLOBS_PER_TX if env.fork >= Fork.OSAKA else max_blobs_per_block(env.fork)
    if not 1 <= count <= per_tx or blob_gas(tx) > room.blob_gas:
        return Rejection(
            Invalid.BLOB_COUNT, f"{count} blobs, block has room for {room.blob_gas // GAS_PER_BLOB}"
        )
    for versioned_hash in tx.blob_versioned_hashes:
        if versioned_hash[0] != _KZG_VERSION:
            return Rejection(
                Invalid.BLOB_HASH_VERSION, f"version {versioned_hash[0]}, expected {_KZG_VERSION}"
            )
    offered, base = tx.max_fee_per_blob_gas_wei or 0, blob_base_fee(env.excess_blob_gas or 0, env.fork)
    if offered < base:
        return Rejection(Invalid.BLOB_FEE_BELOW_BASE, f"blob fee {offered} below base {base}")
    return None


def _validate_funds(tx: Transaction, sender: Sender) -> Rejection | None:
    blob_fee = blob_gas(tx) * (tx.max_fee_per_blob_gas_wei or 0)
    needed = tx.gas_limit * tx.fee_cap_wei + tx.value_wei + blob_fee
    if sender.balance_wei < needed:
        return Rejection(Invalid.INSUFFICIENT_FUNDS, f"needs {needed} wei, account has {sender.balance_wei}")
    return None
