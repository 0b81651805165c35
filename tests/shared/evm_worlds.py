"""Small states, blocks and signed transactions for tests."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.signing import address_of, sign_transaction
from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.state.prestate import AccountOverride, Prestate
from mev_dagster.evm.types import BlockEnv, SimResult, TxStatus

ETHER, GWEI = 10**18, 10**9
KEYS = tuple(keccak(f"mev_dagster TEST-ONLY {index}".encode()) for index in range(4))
ALICE, BOB, CAROL, DAVE = (address_of(key) for key in KEYS)
COINBASE = bytes.fromhex("c0" * 20)
CONTRACT = bytes.fromhex("cc" * 20)

PRAGUE = BlockEnv(
    chain_id=31_337,
    fork=Fork.PRAGUE,
    number=100,
    timestamp=1_700_000_000,
    coinbase=COINBASE,
    gas_limit=30_000_000,
    base_fee_per_gas_wei=10 * GWEI,
    excess_blob_gas=0,
    may_lack_request_contracts=True,
)

NEEDS_NATIVE = pytest.mark.skipif(
    not native_is_installed(), reason="mev_native is not installed: run `make native`, which needs cargo"
)
LOCAL_ENGINES = ("py_evm", pytest.param("revm", marks=NEEDS_NATIVE))


def at(fork: Fork, **changes: Any) -> BlockEnv:
    """Return the block of another fork, without what the fork does not have."""
    return replace(
        PRAGUE,
        fork=fork,
        base_fee_per_gas_wei=10 * GWEI if fork >= Fork.LONDON else None,
        excess_blob_gas=0 if fork >= Fork.CANCUN else None,
        **changes,
    )


def world(code: bytes = b"", *, storage: dict[int, int] | None = None, **overrides: Any) -> Prestate:
    """Return a complete state: everyone has ten ether, CONTRACT has the code."""
    accounts = {address_of(key): AccountOverride(balance_wei=10 * ETHER) for key in KEYS}
    accounts[CONTRACT] = AccountOverride(code=code, nonce=1, storage=storage or {}, **overrides)
    return Prestate({}, {}, complete=True).with_overrides(accounts)


def transaction(sender: int = 0, **fields: Any) -> Transaction:
    """Sign a call to CONTRACT, or what the fields say otherwise."""
    defaults: dict[str, Any] = {"chain_id": 31_337, "nonce": 0, "to": CONTRACT, "gas_limit": 100_000}
    if fields.get("type", 2) < 2:
        defaults["gas_price_wei"] = 12 * GWEI
    else:
        defaults |= {"max_fee_per_gas_wei": 20 * GWEI, "max_priority_fee_per_gas_wei": 2 * GWEI}
    return sign_transaction(KEYS[sender], **(defaults | fields))


def push(value: int) -> bytes:
    """Return the instruction that pushes a number."""
    size = max(1, (value.bit_length() + 7) // 8)
    return bytes([0x5F + size]) + value.to_bytes(size, "big")


def store(slot: int, expression: bytes) -> bytes:
    """Return code that stores what the expression leaves on the stack."""
    return expression + push(slot) + b"\x55"


def assert_same_on_a_node(ours: SimResult, theirs: SimResult, *, also_read: Sequence[bytes] = ()) -> None:
    """Equal in everything a node can tell; it does not say why it halted nor what it read in vain."""
    assert theirs.state_diff == ours.state_diff
    assert theirs.state_diff_hash == ours.state_diff_hash
    for mine, other in zip(ours.txs, theirs.txs, strict=True):
        detail = "halted" if mine.status is TxStatus.HALTED else mine.detail
        reads = {"accounts_read": (), "slots_read": ()}
        assert replace(other, **reads) == replace(mine, detail=detail, **reads)
        assert set(other.accounts_read) <= {*mine.accounts_read, *also_read}


RETURN_TOP = push(0) + b"\x52" + push(32) + push(0) + b"\xf3"
"""Code that returns the word on top of the stack."""
