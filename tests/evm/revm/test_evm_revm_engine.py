"""The native engine against the reference: the same results, field by field."""

from dataclasses import replace

import pytest
from evm_probes import PROBES
from evm_programs import FORKS, programs
from evm_worlds import (
    ALICE,
    BOB,
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
from hypothesis import given, settings
from hypothesis import strategies as st

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.receipts import receipts_root
from mev_dagster.chain.signing import create_address
from mev_dagster.errors import InputError, MissingState, UnsupportedFork
from mev_dagster.evm.block_files import load_block_file
from mev_dagster.evm.blocks import execute_block, receipts_of
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.parity import check_file
from mev_dagster.evm.state.prestate import AccountOverride, Prestate
from mev_dagster.evm.types import ExecutionLimits, TxStatus

if not native_is_installed():
    pytest.skip("mev_native is not installed: run `make native`", allow_module_level=True)

from mev_dagster.evm.revm.engine import RevmEngine

# Adds one to slot 0, pays the coinbase what the caller sent, logs one topic.
COUNTER = (
    store(0, push(0) + b"\x54" + push(1) + b"\x01")
    + (push(0) * 4 + b"\x34\x41" + push(9) + b"\xf1\x50")  # CALL(9, coinbase, callvalue, 0, 0, 0, 0), POP
    + (push(7) + push(0) * 2 + b"\xa1\x00")  # LOG1(0, 0, 7), STOP
)
ENDLESS = b"\x5b\x5f\x56"
SELF_DESTRUCT = push(int.from_bytes(BOB, "big")) + b"\xff"


@pytest.fixture
def engines():
    return get_engine("py_evm"), get_engine("revm")


def assert_same(engines, state, env, txs, **how):
    reference, native = (engine.simulate(state, env, txs, **how) for engine in engines)
    assert native == replace(reference, engine="revm")
    return native


def test_auto_prefers_the_native_engine():
    assert get_engine("auto").name == "revm"


@pytest.mark.parametrize("fork", sorted(set(FORKS) - {Fork.CONSTANTINOPLE}))
def test_every_fork_gives_what_the_reference_gives(engines, fork):
    kind = {"type": 2} if fork >= Fork.LONDON else {"type": 0}
    if fork < Fork.SPURIOUS_DRAGON:
        kind["chain_id"] = None
    txs = [transaction(0, value_wei=3, **kind), transaction(1, **kind), transaction(0, nonce=1, **kind)]
    result = assert_same(engines, world(COUNTER), at(fork), txs)
    assert [tx.status for tx in result.txs] == [TxStatus.SUCCESS] * 3


@pytest.mark.parametrize("fork", [Fork.CONSTANTINOPLE, Fork.UNKNOWN])
def test_a_fork_it_does_not_execute_exactly_is_refused(engines, fork):
    assert not engines[1].supports(fork)
    with pytest.raises(UnsupportedFork):
        engines[1].simulate(world(), replace(PRAGUE, fork=fork), [])


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_a_rule_of_any_fork_gives_what_the_reference_gives(engines, probe):
    for fork in (fork for fork in FORKS if fork is not Fork.CONSTANTINOPLE):
        txs = probe.transactions(fork)
        state = replace(probe.state(), block_hashes={number: bytes([number]) * 32 for number in range(100)})
        reference, native = (
            engine.simulate(state, probe.environment(fork), txs, begin_block=False) for engine in engines
        )
        assert native.state_diff_hash == reference.state_diff_hash, fork
        for wanted, found in zip(reference.txs, native.txs, strict=True):
            # What a failing instruction had already looked at is each engine's own.
            reads = {"accounts_read": wanted.accounts_read, "slots_read": wanted.slots_read}
            assert replace(found, **reads) == wanted, fork


@pytest.mark.parametrize("fork", [Fork.FRONTIER, Fork.LONDON, Fork.PRAGUE])
def test_self_destruction_and_what_follows_is_the_same(engines, fork):
    kind = {"type": 2} if fork >= Fork.LONDON else {"type": 0, "chain_id": None}
    state = world(SELF_DESTRUCT, storage={1: 2, 3: 4}, balance_wei=ETHER)
    assert_same(engines, state, at(fork), [transaction(0, **kind), transaction(1, value_wei=5, **kind)])


def test_a_creation_is_the_same(engines):
    init = push(1) + b"\x5f\x53" + push(1) + b"\x5f\xf3"  # returns one byte: 0x01
    tx = transaction(0, to=None, data=init, gas_limit=200_000)
    assert assert_same(engines, world(), PRAGUE, [tx]).txs[0].contract_address is not None


@pytest.mark.parametrize(
    "code",
    [
        b"\xfe",
        b"\x0c",
        b"\x50",
        push(9) + b"\x56",
        b"\x5b\x5f\x56",
        push(1) * 1025,
        push(2**64) + b"\x51",
        push(1) + b"\x5f\x5f\x3e",
        b"\x5f\x5f\xfd",
    ],
)
def test_a_failure_has_the_same_name(engines, code):
    result = assert_same(engines, world(code), PRAGUE, [transaction(0)])
    assert result.txs[0].status in {TxStatus.HALTED, TxStatus.REVERTED}


@pytest.mark.parametrize(
    "fields",
    [
        {"nonce": 7},
        {"gas_limit": 20_000},
        {"gas_limit": 31_000_000},
        {"max_fee_per_gas_wei": GWEI, "max_priority_fee_per_gas_wei": 0},
        {"max_fee_per_gas_wei": 1 << 130, "max_priority_fee_per_gas_wei": 0},
        {"value_wei": 11 * ETHER},
        {"chain_id": 1},
        {"gas_limit": 2**24 + 1},
    ],
)
def test_an_invalid_transaction_has_the_same_code_and_words(engines, fields):
    env = at(Fork.OSAKA)
    result = assert_same(engines, world(COUNTER), env, [transaction(0, **fields), transaction(1)])
    assert [tx.status for tx in result.txs] == [TxStatus.INVALID, TxStatus.SUCCESS]


def test_what_the_state_does_not_hold_is_named_and_never_zero(engines):
    read = push(9) + b"\x54\x50\x00"
    whole = world(read)
    partial = Prestate(whole.accounts, whole.codes, lists_every_account=True)
    result = assert_same(engines, partial, PRAGUE, [transaction(0)], begin_block=False)
    assert (result.txs[0].error, result.txs[0].status) == ("missing_state", TxStatus.INVALID)
    with pytest.raises(MissingState, match="account"):
        engines[1].simulate(Prestate({}, {}), PRAGUE, [], rewards={ALICE: 1})


def test_a_state_that_is_asked_lazily_gives_the_same(engines):
    whole = world(COUNTER, storage={0: 41})
    lazy = Prestate({}, {}, fallback=whole)
    txs = [transaction(0, value_wei=1), transaction(1)]
    direct, asked = (engines[1].simulate(state, PRAGUE, txs) for state in (whole, lazy))
    assert asked == direct
    assert asked.state_diff[CONTRACT].storage == {0: 43}


def test_a_code_under_another_hash_is_refused(engines):
    state = world(b"a code that no engine has seen")
    altered = replace(state, codes=dict.fromkeys(state.codes, b"\x00"))
    with pytest.raises(InputError, match="does not have that hash"):
        engines[1].simulate(altered, PRAGUE, [transaction(0)])


@pytest.mark.parametrize(
    ("limits", "error"),
    [(ExecutionLimits(steps=10_000), "step_limit"), (ExecutionLimits(seconds=0.001), "time_limit")],
)
def test_an_endless_loop_is_stopped(limits, error):
    engine = RevmEngine(limits)
    bomb = transaction(0, gas_limit=29_000_000, max_fee_per_gas_wei=10 * GWEI, max_priority_fee_per_gas_wei=0)
    state = world(ENDLESS).with_overrides({ALICE: AccountOverride(balance_wei=100 * ETHER)})
    results = engine.simulate(state, PRAGUE, [bomb, transaction(1, to=BOB)]).txs
    assert [tx.error for tx in results] == [error, ""]
    assert results[0].detail == f"stopped by {limits}"


def test_limits_that_are_not_reached_change_nothing(engines):
    limited = RevmEngine(ExecutionLimits(steps=10_000, seconds=60.0))
    assert_same((engines[0], limited), world(COUNTER), PRAGUE, [transaction(0, value_wei=1)])


def test_a_contract_is_not_created_over_storage(engines):
    target = create_address(ALICE, 0)
    state = world().with_overrides({target: AccountOverride(balance_wei=1, storage={1: 2})})
    result = assert_same(engines, state, PRAGUE, [transaction(0, to=None, data=b"\x00")])
    assert result.txs[0].detail == "ContractCreationCollision"


def test_trials_are_those_of_the_reference_and_leave_nothing(engines):
    state, prefix = world(COUNTER), [transaction(0)]
    candidates = [[transaction(1)], [transaction(0, nonce=1), transaction(2, value_wei=5)], []]
    reference, native = (engine.session(state, PRAGUE, prefix) for engine in engines)
    for candidate in candidates + candidates[::-1]:
        assert native.run(candidate) == replace(reference.run(candidate), engine="revm")


def test_a_balance_credited_after_the_transactions_is_in_the_diff(engines):
    result = assert_same(engines, world(COUNTER), PRAGUE, [transaction(0)], rewards={COINBASE: 5, BOB: 7})
    assert result.state_diff[BOB].balance_wei == 10 * ETHER + 7


@pytest.mark.parametrize("count", [0, 1, 2, 16, 17, 127, 128, 129, 300])
def test_its_receipts_root_is_that_of_its_receipts(engines, count):
    state = world(COUNTER).with_overrides({ALICE: AccountOverride(balance_wei=10_000 * ETHER)})
    txs = [transaction(0, nonce=nonce, gas_limit=80_000, type=nonce % 3) for nonce in range(count)]
    env = replace(PRAGUE, gas_limit=60_000_000)
    result = engines[1].simulate(state, env, txs, end_block=True)
    assert result.receipts_root == receipts_root(receipts_of(tuple(txs), result.txs, Fork.PRAGUE))


def test_two_states_do_not_mix(engines):
    poor = world(COUNTER).with_overrides({ALICE: AccountOverride(balance_wei=1)})
    native = engines[1]
    rich_first = native.simulate(world(COUNTER), PRAGUE, [transaction(0)])
    assert native.simulate(poor, PRAGUE, [transaction(0)]).txs[0].error == "insufficient_funds"
    assert native.simulate(world(COUNTER), PRAGUE, [transaction(0)]) == rich_first


@settings(max_examples=60, deadline=None)
@given(
    code=programs,
    data=st.binary(max_size=70),
    fork=st.sampled_from([fork for fork in FORKS if fork != Fork.CONSTANTINOPLE]),
    gas=st.sampled_from([60_000, 300_000]),
)
def test_code_that_nobody_would_write_gives_the_same(code, data, fork, gas):
    state = world(code, storage={0: 1, 1: 0, 255: 2**255}).with_overrides(
        {ALICE: AccountOverride(balance_wei=100 * ETHER)}
    )
    common = {"type": 0 if fork < Fork.LONDON else 2, "gas_limit": gas}
    common["chain_id"] = 31_337 if fork >= Fork.SPURIOUS_DRAGON else None
    txs = [
        transaction(0, data=data, value_wei=7, **common),
        transaction(0, nonce=1, to=None, data=code, **common),
        transaction(0, nonce=2, **common),
    ]
    reference, native = (get_engine(name).simulate(state, at(fork), txs) for name in ("py_evm", "revm"))
    assert native.state_diff == reference.state_diff
    assert native.state_diff_hash == reference.state_diff_hash
    for wanted, found in zip(reference.txs, native.txs, strict=True):
        # Of several reasons for a halt each engine names the one it meets first, and revm does not look
        # at an account or slot that the gas left cannot pay for.
        assert set(found.accounts_read) <= set(wanted.accounts_read)
        assert set(found.slots_read) <= set(wanted.slots_read)
        free = {"accounts_read": (), "slots_read": ()}
        if wanted.status is TxStatus.HALTED:
            free["detail"] = ""
        assert replace(found, **free) == replace(wanted, **free)


@pytest.mark.fixtures
@pytest.mark.parametrize("number", [46147, 116525, 2675000, 4370000, 11814555, 19910734, 22615247])
def test_a_mainnet_block_comes_out_as_on_the_reference(fixtures, engines, number):
    file = load_block_file(fixtures / "blocks_prestate" / f"{number}.json.zst")
    assert check_file(file, engines[1]).differences == ()
    reference, native = (
        execute_block(engine, file.prestate, file.block, file.chain_id) for engine in engines
    )
    assert native.state_diff_hash == reference.state_diff_hash
    assert native.state_diff == reference.state_diff
    assert native.sim.receipts_root == reference.receipts_root
    for wanted, found in zip(reference.sim.txs, native.sim.txs, strict=True):
        assert found == wanted
