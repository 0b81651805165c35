"""Fork schedules and fees, against real chains."""

import json
from itertools import pairwise

import pytest
import zstandard

from mev_dagster.chain import rlp
from mev_dagster.chain.blocks import decode_block
from mev_dagster.chain.fees import blob_base_fee, calc_excess_blob_gas, next_base_fee
from mev_dagster.chain.forks import Fork, ForkSchedule, devnet_schedule
from mev_dagster.chain.networks import HOODI, MAINNET, SEPOLIA, schedule_for
from mev_dagster.devp2p.networks import PUBLIC_NETWORKS
from mev_dagster.errors import InputError, UnsupportedFork
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import BlockEnv

needs_revm = pytest.mark.skipif(
    not native_is_installed(), reason="mev_native is not installed: run `make native`"
)


@pytest.mark.fixtures
def test_mainnet_forks_start_where_the_fork_ids_say(fixtures):
    entries = json.loads((fixtures / "p2p" / "mainnet_forkids.json").read_text())
    stated = {entry["next"] for entry in entries} - {0}
    merge = 15_537_394  # not part of the fork id
    ours = {start for start, _ in (*MAINNET.by_number, *MAINNET.by_timestamp)} - {0, merge}
    assert ours == stated


# EIP-2124 ids as go-ethereum computes them (core/forkid): each covers genesis and every fork begun so far,
# so that one second's or block's error in the schedule changes all that follow.
SEPOLIA_IDS = [
    (1_677_557_087, "b96cbd13", 1_677_557_088),
    (1_677_557_088, "f7f9bc08", 1_706_655_072),
    (1_706_655_072, "88cf81d9", 1_741_159_776),
    (1_741_159_776, "ed88b5fd", 1_760_427_360),
    (1_760_427_360, "e2ae4999", 1_761_017_184),
    (1_761_017_184, "56078a1e", 1_761_607_008),
    (1_761_607_008, "268956b6", 1_791_294_816),
]
HOODI_IDS = [
    (1_742_999_831, "bef71d30", 1_742_999_832),
    (1_742_999_832, "0929e24e", 1_761_677_592),
    (1_761_677_592, "e7e0e7ff", 1_762_365_720),
    (1_762_365_720, "3893353e", 1_762_955_544),
    (1_762_955_544, "23aa1351", 0),
]


@pytest.mark.parametrize(("schedule", "ids"), [(SEPOLIA, SEPOLIA_IDS), (HOODI, HOODI_IDS)])
def test_test_networks_fork_when_their_fork_ids_say(schedule, ids):
    forks = PUBLIC_NETWORKS[schedule.chain_id].forks
    for time, checksum, following in ids:
        found = forks.fork_id(9_000_000, time)
        assert (found.hash.hex(), found.next) == (checksum, following)
        if following:
            before, after = (schedule.fork_at(9_000_000, following - early) for early in (1, 0))
            assert after == before + 1


@pytest.mark.fixtures
def test_every_mainnet_fork_id_names_the_fork_of_its_head(fixtures):
    entries = json.loads((fixtures / "p2p" / "mainnet_forkids.json").read_text())
    forks_by_id = {}
    for entry in entries:
        fork = MAINNET.fork_at(entry["head"], entry["time"])
        # The merge is no part of the id: Gray Glacier's holds until Shanghai.
        forks_by_id.setdefault(entry["hash"], set()).add(Fork.GRAY_GLACIER if fork is Fork.PARIS else fork)
    assert all(len(forks) == 1 for forks in forks_by_id.values())
    found = sorted(fork for forks in forks_by_id.values() for fork in forks)
    # Mainnet never had Constantinople alone; it has no Amsterdam yet.
    assert found == sorted(set(Fork) - {Fork.CONSTANTINOPLE, Fork.PARIS, Fork.AMSTERDAM, Fork.UNKNOWN})


@pytest.mark.parametrize("name", ["py_evm", pytest.param("revm", marks=needs_revm)])
def test_a_block_past_the_last_known_fork_is_refused(name):
    schedule = SEPOLIA.with_fork(1_900_000_000, "FANCY")
    amsterdam = [] if name == "revm" else [(1_791_294_816, True)]
    for timestamp, refused in ((1_791_294_815, False), *amsterdam, (1_900_000_000, True)):
        fork = schedule.fork_at(11_000_000, timestamp)
        env = BlockEnv(schedule.chain_id, fork, 11_000_000, timestamp, bytes(20), 30_000_000, 10**9)
        state = Prestate({}, {}, complete=True)
        if refused:
            with pytest.raises(UnsupportedFork, match=fork.name):
                get_engine(name).simulate(state, env, [])
        else:
            assert get_engine(name).simulate(state, env, []).txs == ()


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
