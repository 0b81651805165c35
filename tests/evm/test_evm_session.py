import pytest
from evm_worlds import (
    ALICE,
    BOB,
    CAROL,
    COINBASE,
    CONTRACT,
    ETHER,
    GWEI,
    PRAGUE,
    at,
    push,
    store,
    transaction,
    world,
)

from mev_dagster.chain.forks import Fork
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.py_evm.engine import PyEvmEngine
from mev_dagster.evm.state.prestate import AccountOverride
from mev_dagster.evm.types import AccountDiff, TxStatus, Want

# Adds one to slot 0 and pays the coinbase what the caller sent.
COUNTER = (
    store(0, push(0) + b"\x54" + push(1) + b"\x01")
    + (b"\x5f\x5f\x5f\x5f\x34\x41\x5a\xf1")  # CALL(gas, coinbase, callvalue, 0, 0, 0, 0)
    + b"\x50\x00"
)
REVERTS = bytes.fromhex("08c379a0") + bytes(31) + b"\x20" + bytes(31) + b"\x04" + b"nope" + bytes(28)


def reverting(data: bytes) -> bytes:
    """Return code that reverts with these bytes, kept behind it."""
    size = len(data)
    prefix = push(size) + push(12) + b"\x5f\x39" + push(size) + b"\x5f\xfd"
    return prefix.ljust(12, b"\x00") + data


def test_a_trial_leaves_nothing_behind():
    session = get_engine().session(world(COUNTER), PRAGUE)
    first, second = session.run([transaction(0)]), session.run([transaction(0)])
    assert first == second
    assert first.state_diff[CONTRACT].storage == {0: 1}


def test_trials_do_not_see_each_other_whatever_their_order():
    candidates = [[transaction(0)], [transaction(1), transaction(2)], [transaction(2, value_wei=5)], []]
    forward = get_engine().session(world(COUNTER), PRAGUE)
    backward = get_engine().session(world(COUNTER), PRAGUE)
    results = [forward.run(candidate) for candidate in candidates]
    assert results == [backward.run(candidate) for candidate in reversed(candidates)][::-1]


def test_a_trial_gives_what_a_simulation_from_scratch_gives():
    state, prefix, bundle = world(COUNTER), [transaction(0)], [transaction(1), transaction(0, nonce=1)]
    trial = get_engine().session(state, PRAGUE, prefix).run(bundle)
    whole = get_engine().simulate(state, PRAGUE, prefix + bundle)
    assert trial.txs == whole.txs[1:]
    # The trial's diff is against the prefix: slot 0 is 1 there, 3 after the bundle.
    assert trial.state_diff[CONTRACT].storage == whole.state_diff[CONTRACT].storage == {0: 3}
    assert BOB in trial.state_diff
    after_prefix = state.apply(get_engine().simulate(state, PRAGUE, prefix).state_diff)
    assert after_prefix.apply(trial.state_diff) == state.apply(whole.state_diff)


def test_the_room_in_the_block_comes_back_after_a_trial():
    session = get_engine().session(world(), PRAGUE)
    full = [
        transaction(0, gas_limit=30_000_000, max_fee_per_gas_wei=11 * GWEI, max_priority_fee_per_gas_wei=0)
    ]
    assert session.run(full) == session.run(full)


@pytest.mark.parametrize("engine", ["py_evm", "revm"])
def test_every_beginning_of_a_list_is_what_a_trial_of_it_gives_and_leaves_nothing_behind(engine):
    if engine == "revm":
        pytest.importorskip("mev_native", reason="the fast engine is absent: make native")
    # the third is out of order and changes nothing; the last sets slot 0 further on
    bundle = [transaction(0), transaction(1, value_wei=5), transaction(0, nonce=7), transaction(2)]
    session = get_engine(engine).session(world(COUNTER), PRAGUE)
    found = session.run_each(bundle)
    assert found == tuple(session.run(bundle[:count]) for count in range(1, len(bundle) + 1))
    assert found[2].txs[2].status is TxStatus.INVALID
    assert session.run_each(bundle) == found
    assert session.run_each([]) == ()


def test_an_invalid_trial_leaves_nothing_behind():
    session = get_engine().session(world(COUNTER), PRAGUE)
    assert session.run([transaction(0, nonce=7)]).txs[0].error == "nonce_too_high"
    assert session.run([transaction(0)]).txs[0].status is TxStatus.SUCCESS


def test_the_coinbase_payment_is_tip_and_transfer():
    result = get_engine().simulate(world(COUNTER), PRAGUE, [transaction(0, value_wei=ETHER)]).txs[0]
    tip = result.gas_used * 2 * GWEI
    assert result.coinbase_payment_wei == tip + ETHER
    assert result.balance_changes_wei == {COINBASE: tip + ETHER, ALICE: -ETHER - result.gas_used * 12 * GWEI}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "reverted without a reason"),
        (REVERTS, "nope"),
        (bytes.fromhex("4e487b71") + bytes(31) + b"\x11", "panic 0x11: arithmetic overflow or underflow"),
        (bytes.fromhex("4e487b71") + bytes(31) + b"\x77", "panic 0x77: unknown"),
        (bytes.fromhex("deadbeef") + bytes(32), "custom error 0xdeadbeef with 32 bytes"),
        (bytes.fromhex("08c379a0") + bytes(64), ""),
        (bytes.fromhex("08c379a0") + b"\xff" * 64, "custom error 0x08c379a0 with 64 bytes"),
        (b"\x01\x02", "0x0102"),
    ],
)
def test_a_revert_says_its_reason(data, reason):
    result = get_engine().simulate(world(reverting(data)), PRAGUE, [transaction(0)]).txs[0]
    assert (result.status, result.detail, result.output) == (TxStatus.REVERTED, reason, data)


def test_a_reverted_transaction_pays_and_changes_nothing_else():
    result = get_engine().simulate(
        world(store(0, push(1)) + reverting(b"")), PRAGUE, [transaction(0, value_wei=1)]
    )
    assert set(result.state_diff) == {ALICE, COINBASE}


def test_the_access_set_names_what_was_read():
    other = push(int.from_bytes(CAROL, "big")) + b"\x31\x50"  # BALANCE, POP
    result = get_engine().simulate(world(other + push(7) + b"\x54\x50\x00"), PRAGUE, [transaction(0)]).txs[0]
    assert {ALICE, CONTRACT, CAROL, COINBASE} <= set(result.accounts_read)
    assert result.slots_read == ((CONTRACT, 7),)


def test_a_created_contract_is_reported_with_its_code():
    init = push(1) + b"\x5f\x53" + push(1) + b"\x5f\xf3"  # returns one byte: 0x01
    result = get_engine().simulate(world(), PRAGUE, [transaction(0, to=None, data=init, gas_limit=200_000)])
    created = result.txs[0].contract_address
    assert created is not None
    assert result.state_diff[created] == AccountDiff(None, 1, b"\x01", {})


def test_the_call_tree_is_told_when_asked_for():
    result = (
        PyEvmEngine(want=Want(calls=True))
        .simulate(world(COUNTER), PRAGUE, [transaction(0, value_wei=3)])
        .txs[0]
    )
    assert [(call.depth, call.kind, call.sender, call.to, call.value_wei) for call in result.calls] == [
        (0, "CALL", ALICE, CONTRACT, 3),
        (1, "CALL", CONTRACT, COINBASE, 3),
    ]


def test_a_thousand_nested_calls_come_back():
    # Homestead has no 63/64 rule: CALL(gas - 1000, self) goes down to the limit of depth.
    count = store(0, push(0) + b"\x54" + push(1) + b"\x01")
    nest = push(0) * 5 + b"\x30" + push(1000) + b"\x5a\x03\xf1" + count
    engine = PyEvmEngine(want=Want(calls=True))
    state = world(nest).with_overrides({ALICE: AccountOverride(balance_wei=10**9 * ETHER)})
    tx = transaction(0, type=0, chain_id=None, gas_limit=29_000_000)
    result = engine.simulate(state, at(Fork.HOMESTEAD), [tx]).txs[0]
    assert max(call.depth for call in result.calls) > 900
