"""Amsterdam on the fast engine: as geth has it, with its access list; the reference says it does not."""

import json
from dataclasses import replace

import pytest
import zstandard
from evm_worlds import ALICE, BOB, CONTRACT, ETHER, at, push, transaction, world
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from mev_dagster.chain.access_lists import check_access_list, decode_access_list
from mev_dagster.chain.amsterdam_gas import floor_gas, intrinsic_gas
from mev_dagster.chain.forks import BLOB_PARAMETERS, BlobParameters, Fork
from mev_dagster.chain.transactions import AccessListEntry
from mev_dagster.chain.validity import validate_for_fork
from mev_dagster.errors import InputError, InvalidTransaction, UnsupportedFork
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.recheck import Recheck, SimInput, load_artifact
from mev_dagster.evm.t8n_files import check_t8n, load_t8n_file
from mev_dagster.evm.types import TxStatus, Want

AMSTERDAM = at(Fork.AMSTERDAM, slot_number=11_296_769)
NUMBERS = (24_341_035, 24_628_607, 25_134_887)
NUMBER_OF_THE_SLOT = b"\x4b\x5f\x55\x00"  # sstore(0, slotnum())

needs_revm = pytest.mark.skipif(not native_is_installed(), reason="mev_native is not installed")


@pytest.fixture
def cases(fixtures):
    return fixtures / "amsterdam_t8n"


@needs_revm
@pytest.mark.fixtures
@pytest.mark.parametrize("number", NUMBERS)
def test_real_transactions_come_out_as_in_geths_t8n(cases, number):
    parity = check_t8n(load_t8n_file(cases / f"{number}.json.zst"), get_engine("revm"))
    assert parity.differences == ()
    assert (parity.receipts_root_matches, parity.access_list_matches) == (True, True)


@pytest.mark.fixtures
def test_the_reference_says_that_it_does_not_execute_it(cases):
    with pytest.raises(UnsupportedFork, match="AMSTERDAM is past BPO2"):
        check_t8n(load_t8n_file(cases / "25134887.json.zst"), get_engine("py_evm"))


def changed(cases, tmp_path, change):
    """A case of geth's beside its block, with something in it changed."""
    raw = (cases / "25134887.json.zst").read_bytes()
    document = json.loads(zstandard.ZstdDecompressor().decompressobj().decompress(raw))
    change(document)
    folder = tmp_path / "cases"
    folder.mkdir()
    (folder / "25134887.json").write_text(json.dumps(document))
    (tmp_path / "blocks_recent").symlink_to(cases.parent / "blocks_recent")
    return folder / "25134887.json"


@needs_revm
@pytest.mark.fixtures
@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda d: d["result"]["receipts"][0].update(gasUsed="0x1"), "gas"),
        (lambda d: d["result"]["receipts"][0].update(status="0x1"), "status"),
        (lambda d: d["result"].update(gasUsed="0x1"), "block_gas_used"),
        (lambda d: d["result"].update(receiptsRoot="0x" + "00" * 32), "receipts_root"),
        (lambda d: d["result"].update(requests=["0x0300"]), "requests"),
        (lambda d: d["result"].update(blockAccessList="0xc0"), "access_list"),
        (lambda d: d["result"].pop("rejected"), "rejected"),
    ],
)
def test_whatever_geth_had_otherwise_is_a_difference_of_its_kind(cases, tmp_path, change, what):
    found = check_t8n(load_t8n_file(changed(cases, tmp_path, change)), get_engine("revm"))
    assert what in {difference.what for difference in found.differences}


@pytest.mark.fixtures
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.update(number=5), "block 5 is neither beside it nor in"),
        (lambda d: d.update(fork="NOPE"), "no fork 'NOPE'"),
        (lambda d: d["env"].pop("currentRandom"), "KeyError"),
        (lambda d: d["result"].update(gasUsed="zz"), "ValueError"),
    ],
)
def test_a_case_that_cannot_be_read_is_told_with_its_file(cases, tmp_path, change, reason):
    with pytest.raises(InputError, match=reason) as refused:
        load_t8n_file(changed(cases, tmp_path, change))
    assert "25134887.json" in str(refused.value)


@needs_revm
def test_transfers_log_themselves_and_the_access_list_holds_what_they_changed():
    txs = [transaction(0, to=BOB, value_wei=5), transaction(1, to=CONTRACT, gas_limit=400_000)]
    env = replace(AMSTERDAM, may_lack_request_contracts=True)
    result = get_engine("revm").simulate(world(NUMBER_OF_THE_SLOT), env, txs, end_block=True)
    assert [tx.status for tx in result.txs] == [TxStatus.SUCCESS] * 2
    (log,) = result.txs[0].logs
    assert log.address == bytes.fromhex("ff" * 19 + "fe")
    assert (log.topics[1][12:], log.topics[2][12:], int.from_bytes(log.data, "big")) == (ALICE, BOB, 5)
    assert result.state_diff[CONTRACT].storage == {0: 11_296_769}
    accounts = {one.address: one for one in decode_access_list(result.access_list)}
    check_access_list(list(accounts.values()), gas_limit=env.gas_limit, transactions=2)
    # Bob gets five wei in the first transaction and pays for the second.
    assert [index for index, _ in accounts[BOB].balance_changes] == [1, 2]
    assert accounts[CONTRACT].storage_changes == ((0, ((2, 11_296_769),)),)
    assert accounts[ALICE].nonce_changes == ((1, 1),)


@needs_revm
def test_a_block_counts_execution_and_state_apart_and_without_refunds():
    stores = b"".join(push(1) + push(slot) + b"\x55" for slot in range(3)) + b"\x00"
    result = get_engine("revm").simulate(world(stores), AMSTERDAM, [transaction(0, gas_limit=600_000)])
    (tx,) = result.txs
    assert tx.block_gas.state == 3 * 64 * 1_530
    assert tx.block_gas.execution + tx.block_gas.state == tx.gas_used == result.txs[0].gas_used
    assert result.gas_used == max(tx.block_gas)


@needs_revm
def test_a_gas_limit_may_pay_for_state_beyond_what_execution_may_take():
    env = replace(AMSTERDAM, gas_limit=40_000_000)
    txs = [transaction(0, gas_limit=30_000_000), transaction(1, gas_limit=40_000_001)]
    rich = world(b"\x00")
    result = get_engine("revm").simulate(rich, env, txs)
    assert [tx.error for tx in result.txs] == ["", "gas_limit_above_block"]


@pytest.mark.parametrize(
    ("fields", "intrinsic", "floor"),
    [
        ({"to": BOB}, 15_000, 15_000),
        ({"to": BOB, "value_wei": 1}, 21_000, 21_000),
        ({"to": ALICE, "value_wei": 1}, 12_000, 12_000),
        ({"to": None, "data": b"\x00" * 33}, 24_000 + 33 * 4 + 2 * 2, 24_000 + 33 * 64),
        ({"to": BOB, "data": b"\x00\x01"}, 15_020, 15_128),
        (
            {"to": BOB, "access_list": [AccessListEntry(BOB, (bytes(32), b"\x01" * 32))]},
            15_000 + 2_900 + 2 * 2_000 + 64 * 84,
            15_000 + 64 * 84,
        ),
    ],
)
def test_what_is_charged_before_the_first_instruction_is_the_sum_of_what_is_touched(fields, intrinsic, floor):
    tx = transaction(0, **fields)
    assert (intrinsic_gas(tx), floor_gas(tx)) == (intrinsic, floor)


def test_limits_are_amsterdams_own():
    validate_for_fork(transaction(0, gas_limit=2**24 + 1), Fork.AMSTERDAM)
    with pytest.raises(InvalidTransaction, match="gas_limit_too_high"):
        validate_for_fork(transaction(0, gas_limit=2**32), Fork.AMSTERDAM)
    with pytest.raises(InvalidTransaction, match="before it runs"):
        validate_for_fork(transaction(0, gas_limit=2**25, data=bytes(300_000)), Fork.AMSTERDAM)
    with pytest.raises(InvalidTransaction, match="at most 131072 bytes"):
        validate_for_fork(transaction(0, to=None, gas_limit=2**25, data=bytes(131_073)), Fork.AMSTERDAM)


@needs_revm
def test_many_candidates_at_once_give_what_each_gives_alone():
    counter = b"\x5f\x54" + push(1) + b"\x01\x5f\x55\x00"
    session = get_engine("revm").session(world(counter), AMSTERDAM, [transaction(2, gas_limit=400_000)])
    candidates = [
        [transaction(0, gas_limit=400_000), transaction(1, gas_limit=400_000)],
        [transaction(0, value_wei=20 * ETHER)],  # more than there is
        [],
        [transaction(1)],
    ]
    alone = [session.run(candidate) for candidate in candidates]
    for threads in (1, 2, 8):
        assert session.run_many(candidates, threads=threads) == alone
    assert [tx.error for tx in alone[1].txs] == ["insufficient_funds"]


@needs_revm
@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2**70)), max_size=6), st.integers(1, 4))
def test_candidates_on_threads_do_not_see_one_another(calls, threads):
    session = get_engine("revm").session(world(b"\x34\x5f\x55\x00"), AMSTERDAM)
    candidates = [[transaction(sender, value_wei=value, gas_limit=400_000)] for sender, value in calls]
    assert session.run_many(candidates, threads=threads) == [session.run(one) for one in candidates]


@needs_revm
def test_a_meter_reads_sensible_gas_where_state_is_refilled():
    fails = push(1) + b"\x5f\x55\xfe"
    result = get_engine("revm", want=Want(calls=True, analytics=True)).simulate(
        world(fails), AMSTERDAM, [transaction(0, gas_limit=300_000)]
    )
    (tx,) = result.txs
    assert all(0 <= gas <= 300_000 for gas in tx.analytics.gas_by_class.values())
    assert tx.calls[0].gas_used <= 300_000


@needs_revm
def test_what_no_reference_executes_is_counted_as_unchecked_and_never_judged():
    registry = CollectorRegistry()
    judge = Recheck(1.0, registry=registry)
    txs = (transaction(0, to=BOB),)
    found = get_engine("revm").simulate(world(), AMSTERDAM, txs)
    assert judge.check(SimInput(world(), AMSTERDAM, txs), found, always=True) is None
    assert "does not execute AMSTERDAM" in judge.skips("revm", AMSTERDAM)
    labels = {"engine": "revm", "fork": "AMSTERDAM"}
    assert registry.get_sample_value("mev_sim_unchecked_total", labels) == 2
    assert registry.get_sample_value("mev_sim_rechecks_total", {"engine": "revm"}) in (None, 0)


def test_an_input_keeps_its_blobs_and_one_without_any_keeps_its_old_name(tmp_path):
    txs = (transaction(0, to=BOB),)
    plain = SimInput(world(), at(Fork.BPO2), txs)
    special = replace(plain, env=replace(plain.env, blobs=BlobParameters(20, 33, 18_000_000)))
    assert special.identity != plain.identity
    assert replace(plain, env=replace(plain.env, blobs=BLOB_PARAMETERS[Fork.BPO2])).identity != plain.identity
    judge = Recheck(1.0, folder=tmp_path)
    truth = get_engine("py_evm").simulate(special.prestate, special.env, txs)
    wrong = replace(truth, engine="revm", txs=(replace(truth.txs[0], gas_used=1),))
    mismatch = judge.judge(special, truth, wrong)
    again = load_artifact(mismatch.artifact)
    assert (again.env, again.identity) == (special.env, special.identity)
