import pytest
from evm_worlds import (
    ALICE,
    BOB,
    CONTRACT,
    LOCAL_ENGINES,
    PRAGUE,
    at,
    push,
    store,
    transaction,
    world,
)

from mev_dagster.chain.forks import Fork
from mev_dagster.evm.analytics import analyze, contended_slots, contention
from mev_dagster.evm.block_files import load_block_file
from mev_dagster.evm.blocks import block_env
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.opcode_classes import opcode_class
from mev_dagster.evm.state.prestate import AccountOverride
from mev_dagster.evm.types import Want

SLOT = push(5) + b"\x54\x50"  # SLOAD 5, POP
COUNTER = store(5, push(5) + b"\x54" + push(1) + b"\x01")
SEES_BOB = push(int.from_bytes(BOB, "big")) + b"\x31\x50"


@pytest.fixture(params=LOCAL_ENGINES)
def engine(request):
    return get_engine(request.param, want=Want(analytics=True))


def metered(engine, state, env, tx):
    result = engine.simulate(state, env, [tx]).txs[0]
    return result.gas_used, result.analytics


def test_all_gas_is_accounted_for(engine):
    code = SLOT * 2 + SEES_BOB + push(32) + push(0) + b"\x20\x50" + push(3) + push(4) + b"\x01\x50\x00"
    gas_used, tx = metered(engine, world(code, storage={5: 1}), PRAGUE, transaction(0))
    assert tx.gas_by_class == {
        "account": 2600,
        "arithmetic": 3,
        "control": 0,
        "hash": 30 + 6 + 3,
        "intrinsic": 21_000,
        "stack": 3 * 7 + 2 * 5,
        "storage": 2100 + 100,
    }
    assert sum(tx.gas_by_class.values()) == gas_used
    assert (tx.cold_slots, tx.warm_slots, tx.cold_accounts, tx.warm_accounts) == (1, 1, 1, 0)
    assert tx.instructions == 18


def test_a_calls_own_gas_is_not_its_childs(engine):
    target = b"\xdd" * 20
    call = b"\x5f" * 5 + push(int.from_bytes(target, "big")) + b"\x5a\xf1\x00"
    state = world(call).with_overrides({target: AccountOverride(code=SLOT + b"\x00")})
    gas_used, tx = metered(engine, state, PRAGUE, transaction(0))
    assert tx.gas_by_class["call"] == 2600
    assert tx.gas_by_class["storage"] == 2100
    assert sum(tx.gas_by_class.values()) == gas_used


def test_a_precompile_has_its_own_class(engine):
    call = b"\x5f" * 4 + push(2) + b"\x5a\xfa\x00"
    gas_used, tx = metered(engine, world(call), PRAGUE, transaction(0))
    assert tx.gas_by_class["precompile"] == 60
    assert sum(tx.gas_by_class.values()) == gas_used


def test_a_precompile_called_by_the_transaction_itself_counts_too(engine):
    gas_used, tx = metered(engine, world(), PRAGUE, transaction(0, to=(2).to_bytes(20, "big")))
    assert tx.gas_by_class == {"intrinsic": 21_000, "precompile": 60}
    assert gas_used == 21_060


def test_contention_names_writer_and_users(engine):
    txs = [transaction(0), transaction(1), transaction(2, to=ALICE), transaction(3)]
    block = analyze(engine.simulate(world(COUNTER), PRAGUE, txs).txs)
    found = [(item.slot, item.writer, item.users) for item in block.contention]
    assert found == [((CONTRACT, 5), 0, (1,)), ((CONTRACT, 5), 1, (3,))]
    assert block.independent_share == 0.5


def test_candidates_contend_where_one_writes_what_another_uses(engine):
    session = engine.session(world(COUNTER), PRAGUE)
    tried = [session.run([tx]).txs[0] for tx in (transaction(0), transaction(1), transaction(2, to=ALICE))]
    assert contended_slots(tried) == [((CONTRACT, 5),), ((CONTRACT, 5),), ()]
    assert contended_slots(tried[1:]) == [(), ()]


def test_what_was_not_asked_for_is_not_told():
    result = get_engine().simulate(world(COUNTER), PRAGUE, [transaction(0)]).txs[0]
    assert (result.calls, result.analytics) == ((), None)


def test_a_write_that_changes_nothing_disturbs_nobody():
    same = store(5, push(7))
    results = get_engine().simulate(world(same, storage={5: 7}), PRAGUE, [transaction(0), transaction(1)]).txs
    assert results[0].slots_read == ((CONTRACT, 5),)
    assert results[0].slots_written == ()
    assert contention(results) == ()


@pytest.mark.parametrize(
    ("opcode", "name"),
    [
        (0x00, "control"),
        (0x1D, "arithmetic"),
        (0x20, "hash"),
        (0x31, "account"),
        (0x35, "context"),
        (0x50, "stack"),
        (0x52, "memory"),
        (0x55, "storage"),
        (0x57, "control"),
        (0x5A, "context"),
        (0x5D, "transient"),
        (0x5E, "memory"),
        (0x9F, "stack"),
        (0xA4, "log"),
        (0xF5, "call"),
        (0xFA, "call"),
        (0xFD, "control"),
    ],
)
def test_every_instruction_has_a_class(opcode, name):
    assert opcode_class(opcode) == name


@pytest.mark.fixtures
def test_a_mainnet_block_adds_up(engine, fixtures):
    file = load_block_file(fixtures / "blocks_prestate" / "21688509.json.zst")
    env = block_env(file.block.header, 1)
    block = analyze(engine.simulate(file.prestate, env, file.block.transactions).txs)
    assert [tx.gas_used for tx in block.txs] == [receipt.gas_used for receipt in file.expected]
    for tx in block.txs:
        # A refund gives back at most a fifth (EIP-3529).
        spent = sum(tx.analytics.gas_by_class.values())
        assert tx.gas_used <= spent <= tx.gas_used * 5 // 4 + 1
    assert next(iter(block.gas_by_class)) in {"storage", "intrinsic", "call"}


def test_forks_before_warmth_are_measured_too(engine):
    gas_used, tx = metered(engine, world(SLOT + b"\x00"), at(Fork.BYZANTIUM), transaction(0, type=0))
    assert tx.gas_by_class["storage"] == 200
    assert sum(tx.gas_by_class.values()) == gas_used
