"""What a block states of its accesses is held to what executing it gives, wherever blocks are executed."""

from dataclasses import replace

import pytest
from evm_worlds import BOB, CONTRACT, PRAGUE, at, transaction, world

from mev_dagster.chain.access_lists import (
    AccountAccess,
    access_list_hash,
    decode_access_list,
    encode_access_list,
)
from mev_dagster.chain.blocks import Block, Header, header_hash, transactions_root, withdrawals_root
from mev_dagster.chain.forks import Fork, devnet_schedule
from mev_dagster.chain.receipts import logs_bloom, receipts_root
from mev_dagster.chain.requests import requests_hash
from mev_dagster.chain.stated_access_lists import stated_access_list
from mev_dagster.errors import DecodeError, InvalidBlock
from mev_dagster.evm.blocks import execute_block
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.parity import check

needs_revm = pytest.mark.skipif(not native_is_installed(), reason="mev_native is not installed")

COUNTER = b"\x5f\x54\x60\x01\x01\x5f\x55\x00"  # sstore(0, sload(0) + 1)
SCHEDULE = devnet_schedule(Fork.AMSTERDAM)
STATE = world(COUNTER)
TXS = (transaction(0, to=BOB, value_wei=5), transaction(1, to=CONTRACT, gas_limit=400_000))


@pytest.fixture(scope="module")
def block():
    """A block of Amsterdam that is right in everything, its access list beside it."""
    if not native_is_installed():
        pytest.skip("mev_native is not installed")
    env = at(Fork.AMSTERDAM, slot_number=7)
    header = Header(
        parent_hash=bytes(32), uncles_hash=bytes(32), coinbase=env.coinbase, state_root=bytes(32),
        transactions_root=transactions_root(TXS), receipts_root=bytes(32), logs_bloom=bytes(256),
        difficulty=0, number=env.number, gas_limit=env.gas_limit, gas_used=0, timestamp=env.timestamp,
        extra_data=b"", mix_hash=bytes(32), nonce=bytes(8), base_fee_per_gas_wei=env.base_fee_per_gas_wei,
        withdrawals_root=withdrawals_root(()), blob_gas_used=0, excess_blob_gas=0,
        parent_beacon_block_root=bytes(32), slot_number=7,
    )  # fmt: skip
    draft = Block(bytes(32), header, TXS, (), ())
    result = execute_block(get_engine("revm"), STATE, draft, SCHEDULE)
    header = replace(
        header,
        state_root=STATE.apply(result.state_diff).state_root(),
        receipts_root=receipts_root(result.receipts),
        logs_bloom=logs_bloom([log for receipt in result.receipts for log in receipt.logs]),
        gas_used=result.gas_used,
        requests_hash=requests_hash(result.sim.requests),
        block_access_list_hash=access_list_hash(result.sim.access_list),
    )
    return Block(header_hash(header), header, TXS, (), (), (), result.sim.access_list)


def stating(block, accounts, *, rehash=True):
    raw = encode_access_list(accounts)
    stated = access_list_hash(raw) if rehash else block.header.block_access_list_hash
    return replace(block, access_list=raw, header=replace(block.header, block_access_list_hash=stated))


def of(block, address):
    accounts = decode_access_list(block.access_list)
    return accounts, next(index for index, one in enumerate(accounts) if one.address == address)


def test_a_block_that_states_what_it_does_is_executed(block):
    assert execute_block(get_engine("revm"), STATE, block, SCHEDULE).gas_used == block.header.gas_used
    parity = check(block, STATE, None, get_engine("revm"), chain=SCHEDULE)
    assert (parity.differences, parity.access_list_matches) == ((), True)


def wrong_hash(block):
    return replace(block, header=replace(block.header, block_access_list_hash=b"\x01" * 32))


def wrong_hash_without_a_list(block):
    return replace(wrong_hash(block), access_list=None)


def wrong_entry(block):
    accounts, place = of(block, BOB)
    ((index, value), *rest) = accounts[place].balance_changes
    changed = replace(accounts[place], balance_changes=((index, value + 1), *rest))
    return stating(block, (*accounts[:place], changed, *accounts[place + 1 :]))


def wrong_slot(block):
    accounts, place = of(block, CONTRACT)
    changed = replace(accounts[place], storage_changes=((0, ((2, 9),)),))
    return stating(block, (*accounts[:place], changed, *accounts[place + 1 :]))


def missing_account(block):
    accounts, place = of(block, BOB)
    return stating(block, accounts[:place] + accounts[place + 1 :])


def missing_read(block):
    accounts, place = of(block, CONTRACT)
    changed = replace(accounts[place], storage_changes=())
    return stating(block, (*accounts[:place], changed, *accounts[place + 1 :]))


def extra_account(block):
    accounts, _ = of(block, BOB)
    return stating(block, (*accounts, AccountAccess(b"\xff" * 20)))


def extra_read(block):
    accounts, place = of(block, CONTRACT)
    changed = replace(accounts[place], storage_reads=(5,))
    return stating(block, (*accounts[:place], changed, *accounts[place + 1 :]))


def wrong_order(block):
    accounts, _ = of(block, BOB)
    return stating(block, (accounts[1], accounts[0], *accounts[2:]))


def wrong_entry_beside_the_right_hash(block):
    return replace(wrong_entry(block), header=block.header)


def no_list_at_all(block):
    return replace(block, access_list=b"\x80")


def a_list_without_a_hash(block):
    return replace(block, header=replace(block.header, block_access_list_hash=None))


BOBS, CONTRACTS = f"0x{BOB.hex()}", f"0x{CONTRACT.hex()}"


@needs_revm
@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (wrong_hash, f"the header has 0x{'01' * 32}, executing gives"),
        (wrong_hash_without_a_list, f"the header has 0x{'01' * 32}, executing gives"),
        (wrong_entry, f"account {BOBS}: balance changes: expected (1, "),
        (wrong_slot, f"account {CONTRACTS}: storage changes: expected (0, ((2, 1),)), found (0, ((2, 9),))"),
        (missing_account, f"account {BOBS} is missing"),
        (missing_read, f"account {CONTRACTS}: storage changes: expected (0, ((2, 1),)), found nothing"),
        (extra_account, f"account 0x{'ff' * 20} is not expected"),
        (extra_read, f"account {CONTRACTS}: storage reads: expected nothing, found 5"),
        (wrong_order, "accounts are not in strictly ascending order at 0x"),
        (wrong_entry_beside_the_right_hash, f"account {BOBS}: balance changes: expected (1, "),
        (no_list_at_all, "not_a_list"),
        (a_list_without_a_hash, "a list is stated, and the header has no hash of one"),
    ],
)
def test_a_block_that_states_anything_else_is_refused_with_the_first_entry_that_differs(block, spoil, told):
    spoilt = spoil(block)
    with pytest.raises(InvalidBlock) as refused:
        execute_block(get_engine("revm"), STATE, spoilt, SCHEDULE)
    assert str(refused.value).startswith(f"block {block.header.number}: access list: ")
    assert told in str(refused.value)
    parity = check(spoilt, STATE, None, get_engine("revm"), chain=SCHEDULE)
    assert [(one.what, told in one.found) for one in parity.differences] == [("access_list", True)]


@pytest.mark.parametrize("engine", ["py_evm", pytest.param("revm", marks=needs_revm)])
def test_a_hash_under_rules_that_list_nothing_is_refused(engine):
    header = Header(
        parent_hash=bytes(32), uncles_hash=bytes(32), coinbase=PRAGUE.coinbase, state_root=bytes(32),
        transactions_root=bytes(32), receipts_root=bytes(32), logs_bloom=bytes(256), difficulty=0, number=5,
        gas_limit=30_000_000, gas_used=0, timestamp=PRAGUE.timestamp, extra_data=b"", mix_hash=bytes(32),
        nonce=bytes(8), base_fee_per_gas_wei=7, withdrawals_root=withdrawals_root(()), blob_gas_used=0,
        excess_blob_gas=0, parent_beacon_block_root=bytes(32), requests_hash=bytes(32),
        block_access_list_hash=b"\x01" * 32,
    )  # fmt: skip
    block = Block(bytes(32), header, (), (), ())
    with pytest.raises(InvalidBlock, match="the rules of its fork give none"):
        execute_block(get_engine(engine), STATE, block, devnet_schedule(Fork.PRAGUE))


@needs_revm
def test_a_list_told_as_rlp_or_as_geths_objects_is_the_same_one(block):
    objects = [
        {
            "address": "0x" + one.address.hex(),
            "storageChanges": [
                {
                    "slot": hex(slot),
                    "slotChanges": [{"blockAccessIndex": i, "postValue": hex(v)} for i, v in changes],
                }
                for slot, changes in one.storage_changes
            ],
            "storageReads": [hex(slot) for slot in one.storage_reads],
            "balanceChanges": [
                {"blockAccessIndex": hex(i), "postBalance": hex(v)} for i, v in one.balance_changes
            ],
            "nonceChanges": [{"blockAccessIndex": i, "postNonce": v} for i, v in one.nonce_changes],
            "codeChanges": None,
        }
        for one in decode_access_list(block.access_list)
    ]
    assert stated_access_list({"blockAccessList": objects}) == block.access_list
    assert stated_access_list({"blockAccessList": "0x" + block.access_list.hex()}) == block.access_list
    assert stated_access_list({"blockAccessList": None}) is stated_access_list({}) is None


@pytest.mark.parametrize(
    "told",
    [5, {}, True, "0xzz", [5], [{}], [{"address": "0x00", "storageReads": [-1]}],
     [{"address": "0x00", "balanceChanges": [{"blockAccessIndex": "0x0"}]}],
     [{"address": "0x00", "storageReads": 7}]],
)  # fmt: skip
def test_what_is_no_list_is_refused_by_its_field(told):
    with pytest.raises(DecodeError, match="blockAccessList"):
        stated_access_list({"blockAccessList": told})
