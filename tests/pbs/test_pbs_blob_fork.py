"""A made-up BPO3 runs through everything without code: header, validity, engines, builder, peers."""

from dataclasses import replace

import pytest
from pbs_devnet import ADDRESSES, CHAIN_ID, ETHER, GWEI, KEYS, PROPOSER, context, state

from mev_dagster.chain.block_rules import check_header
from mev_dagster.chain.fees import GAS_PER_BLOB, blob_base_fee, calc_excess_blob_gas, next_base_fee
from mev_dagster.chain.forks import BLOB_PARAMETERS, BlobParameters, Fork, devnet_schedule
from mev_dagster.chain.networks import MAINNET, SHIPPED
from mev_dagster.chain.signing import sign_transaction
from mev_dagster.devp2p.chain import ChainHead, KnownChain
from mev_dagster.devp2p.networks import fork_table_of
from mev_dagster.errors import InvalidBlock, UnsupportedFork
from mev_dagster.evm.blocks import block_env, execute_block
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.state.prestate import AccountOverride
from mev_dagster.evm.validate import whole_block
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.seal import seal
from mev_dagster.pbs.template import build_template

START = 1_800_000_000
BLOBS = BlobParameters(20, 33, 18_000_000)
SCHEDULE = devnet_schedule(Fork.BPO2).with_fork(START, "BPO3", blobs=BLOBS)
ENGINES = ["py_evm", *(["revm"] if native_is_installed() else [])]
EXCESS = 60_000_000
READS_THE_BLOB_PRICE = b"\x4a\x60\x01\x55\x00"  # sstore(1, blobbasefee())
READER = b"\x4a" * 20


def blob_tx(sender, blobs=6, **fields):
    fields = {"to": READER, "gas_limit": 100_000, "max_fee_per_blob_gas_wei": ETHER // 10**8} | fields
    return sign_transaction(
        KEYS[sender], type=3, chain_id=CHAIN_ID, nonce=0, max_fee_per_gas_wei=50 * GWEI,
        max_priority_fee_per_gas_wei=GWEI, blob_versioned_hashes=[b"\x01" + bytes(31)] * blobs, **fields,
    )  # fmt: skip


def world():
    rich = {address: AccountOverride(balance_wei=10_000 * ETHER) for address in ADDRESSES}
    return state().with_overrides({READER: AccountOverride(code=READS_THE_BLOB_PRICE, nonce=1), **rich})


def at(timestamp):
    return context(Fork.BPO2, schedule=SCHEDULE, timestamp=timestamp, excess_blob_gas=EXCESS)


@pytest.mark.parametrize("name", ENGINES)
def test_engines_take_its_blob_limit_and_its_price(name):
    txs = [blob_tx(index) for index in range(6)]
    found = {}
    for timestamp in (START - 1, START):
        result = get_engine(name).simulate(world(), at(timestamp).env(b"\xcb" * 20), txs)
        found[timestamp] = ([tx.error for tx in result.txs], result.state_diff[READER].storage[1])
    assert found[START - 1] == (
        [""] * 3 + ["blobs_above_block"] * 3,  # 21 blobs
        blob_base_fee(EXCESS, Fork.BPO2),
    )
    assert found[START] == ([""] * 5 + ["blobs_above_block"], blob_base_fee(EXCESS, BLOBS))  # 33 blobs


def test_the_builder_fills_its_blocks_and_every_engine_executes_them_alike():
    context, txs = at(START), [blob_tx(n) for n in range(5)]
    keys = Keyring.test_only("blob fork")
    template = build_template(get_engine("auto"), world(), context, PROPOSER, keys, pending=[], candidates=())
    assert template.sealed.block.header.excess_blob_gas == EXCESS
    block = seal(get_engine("auto"), world(), context, PROPOSER.fee_recipient, txs).block
    assert block.header.blob_gas_used == 30 * GAS_PER_BLOB  # BPO2 would have refused the fourth
    for name in ENGINES:
        result = execute_block(get_engine(name), world(), block, SCHEDULE)
        assert result.receipts_root == block.header.receipts_root
        assert world().apply(result.state_diff).state_root() == block.header.state_root


def test_headers_are_held_to_its_numbers():
    parent = at(START - 12)
    base = header_after(parent)
    child = replace(
        base,
        number=2,
        timestamp=START,
        gas_used=0,
        base_fee_per_gas_wei=next_base_fee(base),
        blob_gas_used=33 * GAS_PER_BLOB,
        excess_blob_gas=calc_excess_blob_gas(base, Fork.BPO2, BLOBS),
    )
    check_header(base, child, SCHEDULE)
    with pytest.raises(InvalidBlock, match="at most 33"):
        check_header(base, replace(child, blob_gas_used=34 * GAS_PER_BLOB), SCHEDULE)
    with pytest.raises(InvalidBlock, match="at most 21"):
        check_header(base, child, devnet_schedule(Fork.BPO2))
    wrong = calc_excess_blob_gas(base, Fork.BPO2)
    with pytest.raises(InvalidBlock, match="excess blob gas"):
        check_header(base, replace(child, excess_blob_gas=wrong), SCHEDULE)


def header_after(parent):
    return seal(get_engine("auto"), world(), parent, PROPOSER.fee_recipient, [blob_tx(0)]).block.header


def test_the_environment_of_a_header_carries_its_numbers_and_names_its_rules():
    header = replace(header_after(at(START - 12)), number=5)
    before, after = (block_env(replace(header, timestamp=start), SCHEDULE) for start in (START - 1, START))
    assert (before.fork, before.blobs, before.blob_parameters) == (
        Fork.BPO2,
        None,
        BLOB_PARAMETERS[Fork.BPO2],
    )
    assert (after.fork, after.blobs) == (Fork.BPO2, BLOBS)
    assert whole_block(after).blob_gas == 33 * GAS_PER_BLOB
    assert after.first_of_fork is False  # no rule changes with it


def test_peers_are_told_of_it_before_and_after():
    schedule = MAINNET.with_fork(START, "BPO3", blobs=BLOBS)
    forks = fork_table_of(SHIPPED["mainnet"], schedule)
    shipped = fork_table_of(SHIPPED["mainnet"])
    before, after = (
        KnownChain(ChainHead(1, forks, 26_000_000, time, b"\x01" * 32)).own_status(69, None).fork_id
        for time in (START - 1, START)
    )
    assert (before.hash.hex(), before.next) == ("07c9462e", START)
    assert after.next == 0
    unaware = KnownChain(ChainHead(1, shipped, 26_000_000, START, b"\x01" * 32)).own_status(69, None)
    aware = KnownChain(ChainHead(1, forks, 26_000_000, START, b"\x01" * 32))
    assert aware.refusal(unaware) == "remote_stale"
    assert aware.refusal(aware.own_status(69, None)) is None


def test_a_fork_that_brings_more_than_blobs_is_executed_by_nothing():
    unknown = devnet_schedule(Fork.BPO2).with_fork(START, "FANCY")
    for name in ENGINES:
        engine = get_engine(name)
        assert not engine.supports(unknown.fork_at(1, START))
        with pytest.raises(UnsupportedFork, match="UNKNOWN"):
            engine.simulate(world(), context(Fork.BPO2, schedule=unknown).env(b"\xcb" * 20), [])
