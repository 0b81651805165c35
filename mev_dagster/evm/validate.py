"""The one judge of whether a transaction may be executed next; every engine asks it first.

Rules that need no state are `chain/validity.py`'s; here are those of sender and block. An invalid
transaction is a value with a stable code, never an exception out of a batch.
"""

from dataclasses import dataclass
from enum import StrEnum

from mev_dagster.chain.envelope import BLOB
from mev_dagster.chain.fees import GAS_PER_BLOB, blob_base_fee
from mev_dagster.chain.forks import Fork
from mev_dagster.chain.transactions import Transaction
from mev_dagster.chain.validity import MAX_GAS_LIMIT, validate_for_fork
from mev_dagster.errors import InvalidTransaction
from mev_dagster.evm.types import BlockEnv

_DELEGATION_PREFIX = b"\xef\x01\x00"


class Invalid(StrEnum):
    """Why a transaction cannot be executed here, beside the reasons of `chain/validity.py`."""

    NONCE_TOO_LOW = "nonce_too_low"
    NONCE_TOO_HIGH = "nonce_too_high"
    SENDER_HAS_CODE = "sender_has_code"
    GAS_LIMIT_ABOVE_BLOCK = "gas_limit_above_block"
    BLOBS_ABOVE_BLOCK = "blobs_above_block"
    FEE_BELOW_BASE = "fee_below_base"
    BLOB_FEE_BELOW_BASE = "blob_fee_below_base"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    UNSUPPORTED_FORK = "unsupported_fork"
    UNSUPPORTED_BLOCK = "unsupported_block"
    # Only executing could tell: the transaction is not known to be invalid, its result is unknown.
    MISSING_STATE = "missing_state"
    STEP_LIMIT = "step_limit"
    TIME_LIMIT = "time_limit"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A stable code, and what was expected and found."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Sender:
    """What has to be known of the sending account."""

    balance_wei: int
    nonce: int
    code: bytes


@dataclass(frozen=True, slots=True)
class Room:
    """What is left in the block. From Amsterdam on `gas` is execution's, and state has its own (EIP-8037)."""

    gas: int
    blob_gas: int
    state_gas: int | None = None


def whole_block(env: BlockEnv) -> Room:
    """Return the room in an empty block."""
    blobs = env.blob_parameters.maximum if env.fork >= Fork.CANCUN else 0
    state_gas = env.gas_limit if env.fork >= Fork.AMSTERDAM else None
    return Room(env.gas_limit, GAS_PER_BLOB * blobs, state_gas)


def blob_gas(tx: Transaction) -> int:
    """Return the blob gas of a transaction."""
    return GAS_PER_BLOB * len(tx.blob_versioned_hashes)


def validate_tx(tx: Transaction, env: BlockEnv, sender: Sender, room: Room) -> Rejection | None:
    """Return why the transaction cannot be executed next in this block, or None when it can."""
    try:
        validate_for_fork(tx, env.fork, chain_id=env.chain_id, blobs=env.blobs)
    except InvalidTransaction as error:
        return Rejection(error.reason, error.detail)
    return (
        _judge_sender(tx, sender) or _judge_room(tx, room) or _judge_fees(tx, env) or _judge_funds(tx, sender)
    )


def _judge_sender(tx: Transaction, sender: Sender) -> Rejection | None:
    if tx.nonce < sender.nonce:
        return Rejection(Invalid.NONCE_TOO_LOW, f"nonce {tx.nonce}, account has {sender.nonce}")
    if tx.nonce > sender.nonce:
        return Rejection(Invalid.NONCE_TOO_HIGH, f"nonce {tx.nonce}, account has {sender.nonce}")
    if sender.code and not sender.code.startswith(_DELEGATION_PREFIX):
        return Rejection(Invalid.SENDER_HAS_CODE, "the sender is a contract (EIP-3607)")
    return None


def _judge_room(tx: Transaction, room: Room) -> Rejection | None:
    execution = tx.gas_limit if room.state_gas is None else min(tx.gas_limit, MAX_GAS_LIMIT)
    if execution > room.gas:
        return Rejection(Invalid.GAS_LIMIT_ABOVE_BLOCK, f"gas limit {tx.gas_limit}, block has {room.gas}")
    if room.state_gas is not None and tx.gas_limit > room.state_gas:
        return Rejection(
            Invalid.GAS_LIMIT_ABOVE_BLOCK, f"gas limit {tx.gas_limit}, block has {room.state_gas} for state"
        )
    if blob_gas(tx) > room.blob_gas:
        return Rejection(Invalid.BLOBS_ABOVE_BLOCK, f"blob gas {blob_gas(tx)}, block has {room.blob_gas}")
    return None


def _judge_fees(tx: Transaction, env: BlockEnv) -> Rejection | None:
    base_fee = env.base_fee_per_gas_wei or 0
    if tx.fee_cap_wei < base_fee:
        return Rejection(Invalid.FEE_BELOW_BASE, f"fee cap {tx.fee_cap_wei}, base fee {base_fee}")
    if tx.type != BLOB:
        return None
    offered, asked = (
        tx.max_fee_per_blob_gas_wei or 0,
        blob_base_fee(env.excess_blob_gas or 0, env.blob_parameters),
    )
    if offered < asked:
        return Rejection(Invalid.BLOB_FEE_BELOW_BASE, f"blob fee cap {offered}, blob base fee {asked}")
    return None


def _judge_funds(tx: Transaction, sender: Sender) -> Rejection | None:
    blob_fee = blob_gas(tx) * (tx.max_fee_per_blob_gas_wei or 0)
    needed = tx.gas_limit * tx.fee_cap_wei + blob_fee + tx.value_wei
    if sender.balance_wei < needed:
        return Rejection(Invalid.INSUFFICIENT_FUNDS, f"needs {needed} wei, account has {sender.balance_wei}")
    return None
