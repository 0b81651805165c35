"""Header-only rules against real parents and children, and every rule broken once."""

import json
from dataclasses import replace

import pytest
import zstandard

from mev_dagster.chain.block_rules import MAX_BLOCK_BYTES, check_contents, check_header
from mev_dagster.chain.blocks import Block
from mev_dagster.chain.fees import GAS_PER_BLOB
from mev_dagster.chain.forks import Fork, devnet_schedule
from mev_dagster.chain.jsonrpc import block_from_rpc, header_from_rpc
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.networks import MAINNET
from mev_dagster.chain.signing import sign_transaction
from mev_dagster.errors import InvalidBlock, UnsupportedFork

NUMBERS = (22_825_315, 24_171_384, 24_341_035, 24_628_607, 25_134_887)
KEY = keccak(b"block rules")


def read(path):
    return json.loads(zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes()))


@pytest.fixture(params=NUMBERS)
def pair(request, fixtures):
    """A block of mainnet and its parent's header, out of its witness."""
    folder = fixtures / "blocks_recent"
    block = block_from_rpc(read(folder / f"{request.param}.json.zst")["block"])
    ancestors = read(folder / f"{request.param}.witness.json.zst")["witness"]["ancestors"]
    parent = max((header_from_rpc(one) for one in ancestors), key=lambda header: header.number)
    return parent, block


@pytest.mark.fixtures
def test_real_blocks_keep_every_rule_under_the_schedule_of_their_time(pair):
    parent, block = pair
    check_header(parent, block.header, MAINNET)
    check_contents(block, MAINNET)


@pytest.mark.fixtures
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"base_fee_per_gas_wei": 1}, "base fee 1"),
        ({"excess_blob_gas": 1}, "excess blob gas 1"),
        ({"blob_gas_used": 1}, "whole blobs"),
        ({"blob_gas_used": 64 * GAS_PER_BLOB}, "at most"),
        ({"gas_limit": 1, "gas_used": 0}, "gas limit 1"),
        ({"gas_used": 1 << 40}, "above the limit"),
        ({"timestamp": 1_746_612_312}, "timestamp"),
        ({"number": 1}, "follows block"),
        ({"extra_data": bytes(33)}, "33 bytes of extra data"),
        ({"requests_hash": None}, "requests_hash is missing"),
        ({"withdrawals_root": None}, "withdrawals_root is missing"),
        ({"block_access_list_hash": bytes(32)}, "block_access_list_hash is set under"),
        ({"slot_number": 1}, "slot_number is set under"),
    ],
)
def test_each_rule_is_told_when_it_is_broken(pair, changes, reason):
    parent, block = pair
    schedule = MAINNET if "number" not in changes else devnet_schedule(Fork.PRAGUE)
    with pytest.raises(InvalidBlock, match=reason):
        check_header(parent, replace(block.header, **changes), schedule)


@pytest.mark.fixtures
def test_a_header_of_a_fork_nobody_knows_is_no_invalid_one(pair):
    parent, block = pair
    unknown = MAINNET.with_fork(block.header.timestamp + 10**9, "FANCY")
    later = replace(block.header, timestamp=block.header.timestamp + 10**9)
    with pytest.raises(UnsupportedFork, match="unknown since"):
        check_header(parent, later, unknown)
    with pytest.raises(UnsupportedFork):
        check_header(parent, replace(block.header, later_fields=(b"\x01",)), MAINNET)


def holding(header, *txs):
    return Block(b"", header, txs, (), ())


def tx(**fields):
    defaults = {"chain_id": 1, "nonce": 0, "to": b"\x01" * 20, "gas_limit": 30_000, "type": 2}
    defaults |= {"max_fee_per_gas_wei": 10**9, "max_priority_fee_per_gas_wei": 1}
    return sign_transaction(KEY, **(defaults | fields))


@pytest.mark.fixtures
def test_contents_past_the_gas_cap_the_size_or_the_blobs_are_refused(fixtures):
    header = block_from_rpc(read(fixtures / "blocks_recent" / "24341035.json.zst")["block"]).header
    empty = replace(header, blob_gas_used=0)
    check_contents(holding(empty, tx()), MAINNET)
    with pytest.raises(InvalidBlock, match="transaction 0: gas_limit_too_high"):
        check_contents(holding(empty, tx(gas_limit=2**24 + 1)), MAINNET)
    with pytest.raises(InvalidBlock, match="blob gas used 131072, its transactions hold 0"):
        check_contents(holding(header, tx()), MAINNET)
    with pytest.raises(InvalidBlock, match="transaction 1: wrong_chain_id"):
        check_contents(holding(empty, tx(), tx(chain_id=5)), MAINNET)
    large = [tx(nonce=nonce, data=bytes(130_000), gas_limit=2**24) for nonce in range(65)]
    with pytest.raises(InvalidBlock, match=f"at most {MAX_BLOCK_BYTES}"):
        check_contents(holding(empty, *large), MAINNET)
    prague = replace(empty, number=22_825_315, timestamp=1_751_000_000)
    check_contents(holding(prague, *large), MAINNET)  # EIP-7934 came with Osaka
