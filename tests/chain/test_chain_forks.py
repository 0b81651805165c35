"""Fork schedules and fees, against real chains."""

import json
from itertools import pairwise

import pytest
import zstandard

from mev_dagster.chain import rlp
from mev_dagster.chain.blocks import decode_block
from mev_dagster.chain.forks import (
    HOODI,
    MAINNET,
    SEPOLIA,
    Fork,
    ForkSchedule,
    blob_base_fee,
    calc_excess_blob_gas,
    devnet_schedule,
    next_base_fee,
    schedule_for,
)
from mev_dagster.errors import InputError


@pytest.mark.fixtures
def test_mainnet_forks_start_where_the_fork_ids_say(fixtures):
    entries = json.loads((fixtures / "p2p" / "mainnet_forkids.json").read_text())
    stated = {entry["next"] for entry in entries} - {0}
    merge = 15_537_394  # not part of the fork id
    ours = {start for start, _ in (*MAINNET.by_number, *MAINNET.by_timestamp)} - {0, merge}
    assert ours == stated


def test_a_block_belongs_to_the_last_fork_that_has_started():
    assert MAINNET.fork_at(1_149_999, 1_457_981_342) == Fork.FRONTIER
    assert MAINNET.fork_at(1_150_000, 1_457_981_393) == Fork.HOMESTEAD
    assert MAINNET.fork_at(15_537_393, 1_663_224_162) == Fork.GRAY_GLACIER
    assert MAINNET.fork_at(15_537_394, 1_663_224_179) == Fork.PARIS
    assert MAINNET.fork_at(22_431_084, 1_746_612_311) == Fork.PRAGUE
    assert SEPOLIA.fork_at(9_000_000, 1_760_427_360) == Fork.OSAKA
    assert HOODI.fork_at(0, 0) == Fork.CANCUN


def test_chains_are_known_by_id_and_a_devnet_runs_one_fork():
    assert schedule_for(1) is MAINNET
    assert schedule_for(31_337).fork_at(0, 0) == Fork.PRAGUE
    assert devnet_schedule(Fork.LONDON).fork_at(10, 2**40) == Fork.LONDON
    with pytest.raises(InputError, match="chain id 5; known: 1, 31337"):
        schedule_for(5)


def synthetic_chain(fixtures):
    read = zstandard.ZstdDecompressor().decompressobj().decompress
    config = json.loads(read((fixtures / "chain_synthetic" / "genesis.json.zst").read_bytes()))["config"]
    schedule = ForkSchedule(
        config["chainId"],
        (
            (0, Fork.HOMESTEAD),
            (config["londonBlock"], Fork.LONDON),
            (config["mergeNetsplitBlock"], Fork.PARIS),
        ),
        tuple(
            (config[f"{fork.name.lower()}Time"], fork)
            for fork in Fork
            if f"{fork.name.lower()}Time" in config
        ),
    )
    raw = (
        zstandard.ZstdDecompressor()
        .decompressobj()
        .decompress((fixtures / "chain_synthetic" / "chain.rlp.zst").read_bytes())
    )
    position, headers = 0, []
    while position < len(raw):
        _, _, end = rlp.payload_span(raw, position, len(raw))
        headers.append(decode_block(raw[position:end]).header)
        position = end
    return schedule, headers


@pytest.mark.fixtures
def test_base_fee_and_excess_blob_gas_follow_from_the_parent(fixtures):
    schedule, headers = synthetic_chain(fixtures)
    checked = set()
    for parent, child in pairwise(headers):
        fork = schedule.fork_at(child.number, child.timestamp)
        if child.base_fee_per_gas_wei is not None:
            assert next_base_fee(parent) == child.base_fee_per_gas_wei
            checked.add("base fee")
        if child.excess_blob_gas is not None:
            assert calc_excess_blob_gas(parent, fork) == child.excess_blob_gas
            checked.add(fork)
    assert checked >= {"base fee", Fork.CANCUN, Fork.PRAGUE, Fork.OSAKA, Fork.BPO1, Fork.BPO2}


def test_the_blob_base_fee_grows_by_the_forks_own_fraction():
    assert blob_base_fee(0, Fork.CANCUN) == 1
    assert blob_base_fee(10 * 2**20, Fork.CANCUN) == 23  # EIP-4844's formula by hand: e ** 3.14
    assert blob_base_fee(10 * 2**20, Fork.PRAGUE) == 8
    with pytest.raises(InputError, match="SHANGHAI"):
        blob_base_fee(0, Fork.SHANGHAI)
