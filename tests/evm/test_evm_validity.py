"""Invalid transactions are values in their place; those around them execute as if they were not there."""

import math
from dataclasses import replace
from functools import partial

import pytest
from evm_worlds import (
    ALICE,
    BOB,
    CONTRACT,
    ETHER,
    GWEI,
    LOCAL_ENGINES,
    NEEDS_NATIVE,
    PRAGUE,
    at,
    transaction,
    world,
)
from hypothesis import given
from hypothesis import strategies as st

from mev_dagster.chain import rlp
from mev_dagster.chain.ecdsa import SECP256K1_N
from mev_dagster.chain.fees import GAS_PER_BLOB
from mev_dagster.chain.forks import Fork
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.signing import sign_authorization
from mev_dagster.evm.bundle import simulate_bundle
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.py_evm.engine import PyEvmEngine
from mev_dagster.evm.state.prestate import AccountOverride, Prestate
from mev_dagster.evm.types import BlockEnv, ExecutionLimits, TxStatus

OSAKA = at(Fork.OSAKA)
BLOB_HASH = b"\x01" + bytes(31)
ENDLESS = b"\x5b\x60\x00\x56"  # JUMPDEST PUSH1 0 JUMP


REFERENCE_LOOP = partial(PyEvmEngine, reference=True)
ENGINES_BY_NAME = (
    pytest.param(partial(get_engine, "py_evm"), id="py_evm"),
    pytest.param(partial(get_engine, "revm"), id="revm", marks=NEEDS_NATIVE),
)


@pytest.fixture(params=LOCAL_ENGINES)
def engine(request):
    return get_engine(request.param)


def blob(**fields):
    return transaction(
        1, type=3, max_fee_per_blob_gas_wei=GWEI, **({"blob_versioned_hashes": [BLOB_HASH]} | fields)
    )


def high_s(tx):
    return replace(tx, s=SECP256K1_N - tx.s)


CASES = {
    "nonce_too_high": (PRAGUE, transaction(1, nonce=1)),
    "wrong_chain_id": (PRAGUE, transaction(1, chain_id=1)),
    "high_s": (PRAGUE, high_s(transaction(1))),
    "type_not_supported": (
        at(Fork.CANCUN),
        transaction(
            1, type=4, authorization_list=[sign_authorization(b"\x01" * 32, chain_id=0, address=BOB, nonce=0)]
        ),
    ),
    "insufficient_funds": (PRAGUE, transaction(1, value_wei=10 * ETHER)),
    "fee_below_base": (PRAGUE, transaction(1, max_fee_per_gas_wei=9 * GWEI, max_priority_fee_per_gas_wei=0)),
    "priority_fee_above_max_fee": (PRAGUE, transaction(1, max_priority_fee_per_gas_wei=21 * GWEI)),
    "gas_limit_above_block": (
        PRAGUE,
        transaction(1, gas_limit=30_000_001, max_fee_per_gas_wei=10 * GWEI, max_priority_fee_per_gas_wei=0),
    ),
    "gas_limit_too_high": (OSAKA, transaction(1, gas_limit=2**24 + 1)),
    "init_code_too_large": (PRAGUE, transaction(1, to=None, data=bytes(49_153), gas_limit=10_000_000)),
    "intrinsic_gas_too_low": (PRAGUE, transaction(1, gas_limit=20_999)),
    "bad_blob_version": (PRAGUE, blob(blob_versioned_hashes=[bytes(32)])),
    "too_many_blobs": (PRAGUE, blob(blob_versioned_hashes=[BLOB_HASH] * 10)),
    "blob_fee_below_base": (replace(PRAGUE, excess_blob_gas=150_000_000), blob()),
}


@pytest.mark.parametrize("code", CASES)
def test_an_invalid_transaction_says_why_and_changes_nothing(engine, code):
    env, invalid = CASES[code]
    before, after = transaction(0), transaction(0, nonce=1)
    with_it = engine.simulate(world(), env, [before, invalid, after])
    without = engine.simulate(world(), env, [before, after])
    assert with_it.txs[1].status is TxStatus.INVALID
    assert with_it.txs[1].error == code
    assert with_it.txs[1].detail
    assert (with_it.txs[0], with_it.txs[2]) == without.txs
    assert with_it.state_diff_hash == without.state_diff_hash


@pytest.mark.parametrize("code", CASES)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_block_that_is_ended_holds_no_invalid_transaction_and_names_it_instead(engine, code, place):
    env, invalid = CASES[code]
    env = replace(env, may_lack_request_contracts=True)
    valid = [transaction(0), transaction(0, nonce=1)]
    # Where it stands first, what makes it wrong must not be that another has gone before it.
    if place == 0 and engine.simulate(world(), env, [invalid]).txs[0].status is not TxStatus.INVALID:
        pytest.skip("alone it is valid")
    given = [*valid[:place], invalid, *valid[place:]]
    with_it = engine.simulate(world(), env, given, end_block=True)
    without = engine.simulate(world(), env, valid, end_block=True)
    (found,) = with_it.rejected
    assert (found.index, found.result.tx_hash) == (place, invalid.hash)
    assert found.result.status is TxStatus.INVALID
    assert with_it.txs == without.txs
    assert not without.rejected
    assert with_it.receipts_root == without.receipts_root
    assert with_it.state_diff_hash == without.state_diff_hash


def test_a_nonce_is_not_used_twice(engine):
    tx = transaction()
    assert [result.error for result in engine.simulate(world(), PRAGUE, [tx, tx]).txs] == [
        "",
        "nonce_too_low",
    ]


def test_a_contract_sends_nothing_unless_it_is_a_delegation(engine):
    contract = world().with_overrides({ALICE: AccountOverride(code=b"\x00")})
    delegated = world().with_overrides({ALICE: AccountOverride(code=b"\xef\x01\x00" + CONTRACT)})
    assert engine.simulate(contract, PRAGUE, [transaction()]).txs[0].error == "sender_has_code"
    assert engine.simulate(delegated, PRAGUE, [transaction()]).txs[0].status is TxStatus.SUCCESS


@pytest.mark.parametrize(
    ("fork", "blobs"), [(Fork.CANCUN, 6), (Fork.PRAGUE, 9), (Fork.OSAKA, 9), (Fork.BPO1, 15), (Fork.BPO2, 21)]
)
def test_a_block_has_room_for_as_many_blobs_as_its_fork_says(engine, fork, blobs):
    txs = [blob(nonce=index) for index in range(blobs + 1)]
    results = engine.simulate(world(), at(fork), txs).txs
    assert [result.error for result in results] == [""] * blobs + ["blobs_above_block"]


@pytest.mark.parametrize(
    ("fork", "fraction"),
    [(Fork.CANCUN, 3_338_477), (Fork.OSAKA, 5_007_716), (Fork.BPO1, 8_346_193), (Fork.BPO2, 11_684_671)],
)
def test_blobs_are_paid_at_the_forks_own_price(engine, fork, fraction):
    env = replace(at(fork), excess_blob_gas=60_000_000, base_fee_per_gas_wei=0)
    tx = blob(max_fee_per_gas_wei=0, max_priority_fee_per_gas_wei=0)
    result = engine.simulate(world(), env, [tx]).txs[0]
    paid = -result.balance_changes_wei[tx.sender] // GAS_PER_BLOB
    assert paid == pytest.approx(math.exp(60_000_000 / fraction), rel=1e-6, abs=1)


def test_the_room_of_a_block_shrinks_with_what_was_used(engine):
    env = replace(PRAGUE, gas_limit=121_000)
    txs = [
        transaction(0, gas_limit=100_000),
        transaction(1, gas_limit=100_000),
        transaction(2, gas_limit=100_000),
    ]
    assert [result.error for result in engine.simulate(world(), env, txs).txs] == [
        "",
        "",
        "gas_limit_above_block",
    ]


def test_absent_state_is_a_result_of_its_transaction(engine):
    state = Prestate(world().accounts, {}, complete=False)
    lost = transaction(0, to=bytes.fromhex("dd" * 20))
    plain = transaction(1, to=ALICE)
    state = state.with_overrides({PRAGUE.coinbase: AccountOverride()})
    results = engine.simulate(state, PRAGUE, [lost, plain], begin_block=False).txs
    assert (results[0].status, results[0].error) == (TxStatus.INVALID, "missing_state")
    assert results[0].detail == "account 0x" + "dd" * 20
    assert results[1].status is TxStatus.SUCCESS


@pytest.mark.parametrize(
    ("limits", "error"),
    [(ExecutionLimits(steps=10_000), "step_limit"), (ExecutionLimits(seconds=0.001), "time_limit")],
)
@pytest.mark.parametrize("make", [*ENGINES_BY_NAME, pytest.param(REFERENCE_LOOP, id="reference loop")])
def test_an_endless_loop_is_stopped(limits, error, make):
    engine = make(limits=limits)
    bomb = transaction(0, gas_limit=29_000_000, max_fee_per_gas_wei=10 * GWEI, max_priority_fee_per_gas_wei=0)
    state = world(ENDLESS).with_overrides({ALICE: AccountOverride(balance_wei=100 * ETHER)})
    results = engine.simulate(state, PRAGUE, [bomb, transaction(1, to=BOB)]).txs
    assert (results[0].status, results[0].error) == (TxStatus.INVALID, error)
    assert results[1].status is TxStatus.SUCCESS


def test_gas_ends_an_endless_loop_by_itself(engine):
    result = engine.simulate(world(ENDLESS), PRAGUE, [transaction()]).txs[0]
    assert (result.status, result.detail, result.gas_used) == (TxStatus.HALTED, "OutOfGas", 100_000)


def test_no_batch_is_an_empty_result(engine):
    env: BlockEnv = PRAGUE
    assert engine.simulate(world(), env, []).txs == ()


def signed_with(r: int, s: int) -> bytes:
    """Return a transaction whose signature was replaced."""
    raw = transaction(1).raw
    *fields, _, _ = rlp.decode(raw[1:])
    signature = [value.to_bytes((value.bit_length() + 7) // 8, "big") for value in (r, s)]
    return raw[:1] + rlp.encode([*fields, *signature])


BROKEN = {
    "empty": b"",
    "unknown_type": b"\x05" + transaction(1).raw[1:],
    "signature_out_of_range": signed_with(0, 1),
    "signature_unrecoverable": signed_with(5, 1),
    "high_s": signed_with(1, SECP256K1_N - 1),
}


@pytest.mark.parametrize("code", BROKEN)
def test_a_bundle_holds_what_it_is_sent(engine, code):
    raw = BROKEN[code]
    before, after = transaction(0), transaction(0, nonce=1)
    result = simulate_bundle(engine, world(), PRAGUE, [before.raw, raw, after.raw])
    assert [tx.error for tx in result.txs] == ["", code, ""]
    assert result.txs[1].status is TxStatus.INVALID
    assert result.txs[1].tx_hash == keccak(raw)
    without = simulate_bundle(engine, world(), PRAGUE, [before.raw, after.raw])
    assert result.state_diff_hash == without.state_diff_hash


@given(raws=st.lists(st.binary(max_size=300) | st.just(transaction(0).raw[:-1]), max_size=4))
def test_no_bytes_make_a_bundle_raise(raws):
    for name in ("py_evm", *(["revm"] if native_is_installed() else [])):
        result = simulate_bundle(get_engine(name), world(), PRAGUE, raws)
        assert [tx.status for tx in result.txs] == [TxStatus.INVALID] * len(raws)


def test_a_fork_nobody_implements_is_each_transactions_result(engine):
    env = replace(PRAGUE, fork=Fork.UNKNOWN)
    result = simulate_bundle(engine, world(), env, [transaction(0).raw, b"", transaction(1).raw])
    assert [tx.error for tx in result.txs] == ["unsupported_fork", "empty", "unsupported_fork"]
    assert (result.gas_used, result.state_diff) == (0, {})


@NEEDS_NATIVE
def test_a_block_beyond_an_engines_numbers_is_each_transactions_result():
    env = replace(PRAGUE, excess_blob_gas=10**9)
    result = simulate_bundle(get_engine("revm"), world(), env, [transaction(0).raw])
    assert [tx.error for tx in result.txs] == ["unsupported_block"]


def test_a_block_that_cannot_be_begun_is_each_transactions_result(engine):
    result = simulate_bundle(engine, Prestate({}, {}), PRAGUE, [transaction(0).raw, transaction(1).raw])
    assert [tx.error for tx in result.txs] == ["missing_state"] * 2
