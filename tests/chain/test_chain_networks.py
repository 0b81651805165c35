"""What networks schedule is data: shipped, extended by a file, read from a genesis; nonsense is refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mev_dagster.chain.fees import blob_base_fee
from mev_dagster.chain.forks import BLOB_PARAMETERS, BlobParameters, Fork, ForkSchedule, devnet_schedule
from mev_dagster.chain.networks import (
    HOODI,
    MAINNET,
    SEPOLIA,
    SHIPPED,
    network_of,
    networks_of,
    schedule_for,
    schedule_of_genesis,
)
from mev_dagster.devp2p.networks import PUBLIC_NETWORKS, fork_table_of, public_network
from mev_dagster.errors import InputError
from mev_dagster.settings import settings

BPO3_TIME = 1_900_000_000
BPO3 = BlobParameters(22, 33, 18_000_000)
FILE = f"""
[forks.BPO3]
blobs = {{ target = 22, max = 33, base_fee_update_fraction = 18_000_000 }}
[networks.mainnet.times]
BPO3 = {BPO3_TIME}
[networks.kurtosis]
chain_id = 3_151_908
[networks.kurtosis.times]
PRAGUE = 0
BPO3 = 100
FANCY = 200
"""


@pytest.fixture
def extended(tmp_path, monkeypatch):
    path = tmp_path / "forks.toml"
    path.write_text(FILE)
    monkeypatch.setenv("MEV_FORKS_FILE", str(path))
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.parametrize("schedule", [MAINNET, SEPOLIA, HOODI])
def test_every_shipped_fork_has_the_blobs_its_rules_have(schedule):
    for start, fork in schedule.by_timestamp:
        assert schedule.blobs_at(1 << 40, start) == BLOB_PARAMETERS.get(fork)


def test_a_settings_file_brings_a_blob_fork_and_a_network_without_a_release(extended):
    mainnet, kurtosis = schedule_for(1), schedule_for(3_151_908)
    before, after = BPO3_TIME - 1, BPO3_TIME
    assert mainnet.blobs_at(1 << 40, before) == BLOB_PARAMETERS[Fork.BPO2]
    assert mainnet.blobs_at(1 << 40, after) == BPO3
    assert mainnet.fork_at(1 << 40, after) is mainnet.fork_at(1 << 40, before) is Fork.BPO2
    assert mainnet.name_at(1 << 40, after) == "BPO3"
    assert (kurtosis.fork_at(0, 100), kurtosis.blobs_at(0, 100)) == (Fork.PRAGUE, BPO3)
    assert kurtosis.fork_at(0, 200) is Fork.UNKNOWN
    assert kurtosis.name_at(0, 200) == "unknown since 200"


def test_fork_ids_follow_the_file(extended):
    ours, shipped = public_network(1).forks, PUBLIC_NETWORKS[1].forks
    at = (25_000_000, BPO3_TIME - 1)
    assert ours.fork_id(*at).hash == shipped.fork_id(*at).hash
    assert (ours.fork_id(*at).next, shipped.fork_id(*at).next) == (BPO3_TIME, 0)
    assert ours.fork_id(25_000_000, BPO3_TIME).hash != shipped.fork_id(25_000_000, BPO3_TIME).hash


def test_amsterdam_keeps_the_blobs_of_the_fork_before_it():
    later = MAINNET.with_fork(BPO3_TIME, "BPO3", blobs=BPO3).with_fork(
        BPO3_TIME + 10, "AMSTERDAM", rules=Fork.AMSTERDAM
    )
    assert later.blobs_at(1 << 40, BPO3_TIME + 10) == BPO3
    assert later.fork_at(1 << 40, BPO3_TIME + 10) is Fork.AMSTERDAM
    alone = devnet_schedule(Fork.AMSTERDAM)
    assert alone.blobs_at(1, 1) == BLOB_PARAMETERS[Fork.BPO2]


def test_a_blob_fork_after_amsterdam_keeps_amsterdams_rules():
    schedule = SEPOLIA.with_fork(BPO3_TIME, "BPO3", blobs=BPO3)
    assert schedule.fork_at(1 << 40, BPO3_TIME) is Fork.AMSTERDAM
    assert schedule.blobs_at(1 << 40, BPO3_TIME) == BPO3


def test_a_blob_fork_of_another_price_has_another_blob_base_fee():
    assert blob_base_fee(10**8, BPO3) < blob_base_fee(10**8, Fork.BPO2)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"forks": {"BPO3": {"blobs": {"target": 9, "max": 6, "base_fee_update_fraction": 1}}}}, "target 9"),
        ({"forks": {"BPO3": {"blobs": {"target": 3, "max": 6, "base_fee_update_fraction": 0}}}}, "fraction"),
        ({"forks": {"BPO3": {"blobs": {"target": 3, "max": 6}}}}, "base_fee_update_fraction"),
        ({"forks": {"BPO3": {"blobs": {"target": "3", "max": 6, "base_fee_update_fraction": 1}}}}, "whole"),
        ({"forks": {"X": {"rules": "NOPE"}}}, "no rule set 'NOPE'"),
        ({"forks": {"X": {"blob": 1}}}, "unknown field 'blob'"),
        ({"network": {}}, "unknown table 'network'"),
        ({"networks": {"n": {"times": {"PRAGUE": 0}}}}, "networks.n: KeyError: 'chain_id'"),
        ({"networks": {"n": {"chain_id": 1, "times": {"OSAKA": 5, "PRAGUE": 6}}}}, "goes backwards"),
        ({"networks": {"n": {"chain_id": 1, "blocks": {"NOPE": 5}}}}, "no fork NOPE"),
        ({"networks": {"n": {"chain_id": 1, "times": {"PRAGUE": -5}}}}, "whole number"),
        ({"networks": {"n": {"chain_id": 1, "times": {"PRAGUE": 1.5}}}}, "whole number"),
        ({"networks": {"n": {"chain_id": 1, "times": {"PRAGUE": "soon"}}}}, "whole number"),
        ({"networks": {"n": {"chain_id": True}}}, "whole number"),
        ({"networks": {"n": {"chain_id": {"a": 1}}}}, "whole number"),
        ({"networks": {"n": {"chain_id": 1, "times": 5}}}, "times: expected a table"),
        ({"networks": {"n": {"chain_id": 1, "blocks": ["LONDON"]}}}, "blocks: expected a table"),
        ({"networks": {"n": {"chain_id": 1, "public": "no"}}}, "public: expected true or false"),
        ({"networks": {"n": {"chain_id": 1, "genesis_hash": "0x00"}}}, "expected 32 bytes"),
        ({"networks": {"n": {"chain_id": 1, "deposit_contract": 7}}}, "expected hex"),
        ({"networks": {"n": {"chain_id": 1, "network_split": "x"}}}, "network_split: expected a whole"),
        ({"networks": {"n": {"chain_id": 1, "time": {}}}}, "unknown field 'time'"),
        ({"networks": {"n": 5}}, "networks.n: expected a table"),
        ({"networks": 5}, "networks: expected a table"),
        ({"networks": {"n": {"chain_id": 1}, "m": {"chain_id": 1}}}, "chain id 1 is n's"),
        ({"forks": ["BPO3"]}, "forks: expected a table"),
        ({"forks": {"X": 5}}, "forks.X: expected a table"),
        ({"forks": {"X": {"rules": ["OSAKA"]}}}, "there is no rule set"),
        ({"forks": {"X": {"blobs": [1, 2, 3]}}}, "blob schedule: expected target"),
        ({"forks": {"X": {"blobs": {"target": 1, "max": 70_000, "base_fee_update_fraction": 1}}}}, "max"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused_with_its_place(document, reason):
    with pytest.raises(InputError, match=reason):
        networks_of(document)


def test_what_extends_the_shipped_table_may_put_anything_in_a_tables_place_and_is_told_so():
    shipped = {"networks": {"mainnet": {"chain_id": 1, "times": {"PRAGUE": 5}}}}
    for above in ({"networks": {"mainnet": {"times": 5}}}, {"networks": {"mainnet": {"chain_id": {"a": 1}}}}):
        with pytest.raises(InputError, match=r"networks\.mainnet"):
            networks_of(above, shipped)


def test_forks_of_one_time_are_one_the_later_holds():
    schedule = schedule_of_genesis(GENESIS | {"osakaTime": 30, "bpo1Time": 30})
    assert (schedule.fork_at(1, 29), schedule.fork_at(1, 30)) == (Fork.PRAGUE, Fork.BPO1)
    assert schedule.blobs_at(1, 30) == BlobParameters(1, 2, 77)


def test_a_file_that_cannot_be_read_is_told_with_its_name(tmp_path, monkeypatch):
    path = tmp_path / "forks.toml"
    path.write_text("[forks")
    monkeypatch.setenv("MEV_FORKS_FILE", str(path))
    settings.cache_clear()
    try:
        with pytest.raises(InputError, match=r"forks\.toml: not TOML"):
            schedule_for(1)
        monkeypatch.setenv("MEV_FORKS_FILE", str(tmp_path / "absent.toml"))
        settings.cache_clear()
        with pytest.raises(InputError, match="No such file"):
            schedule_for(1)
        for content in (b"\xff\xfe", b"networks = 5", b"[networks]\nmainnet = 5"):
            path.write_bytes(content)
            another = path.rename(tmp_path / f"{content.hex()}.toml")
            monkeypatch.setenv("MEV_FORKS_FILE", str(another))
            settings.cache_clear()
            with pytest.raises(InputError, match=r"\.toml: "):
                schedule_for(1)
        monkeypatch.setenv("MEV_FORKS_FILE", str(tmp_path))
        settings.cache_clear()
        with pytest.raises(InputError, match="Is a directory"):
            schedule_for(1)
    finally:
        settings.cache_clear()


def test_a_schedule_that_goes_backwards_is_refused_however_it_is_made():
    with pytest.raises(InputError, match="PRAGUE at timestamp 5 after OSAKA at timestamp 5"):
        ForkSchedule(1, (), ((5, Fork.OSAKA), (5, Fork.PRAGUE)))
    with pytest.raises(InputError, match="goes backwards"):
        replace(MAINNET, by_timestamp=MAINNET.by_timestamp[::-1])
    with pytest.raises(InputError, match="where no fork begins"):
        replace(MAINNET, by_timestamp=MAINNET.by_timestamp[:-1])


GENESIS = {
    "chainId": 7,
    **{f"{name}Block": 0 for name in ("homestead", "eip150", "eip155", "eip158", "byzantium", "london")},
    "terminalTotalDifficulty": 0,
    "shanghaiTime": 0,
    "cancunTime": 0,
    "pragueTime": 10,
    "osakaTime": 20,
    "bpo1Time": 30,
    "bpo3Time": 40,
    "bogotaTime": 50,
    "depositContractAddress": "0x4242424242424242424242424242424242424242",
    "blobSchedule": {
        "cancun": {"target": 3, "max": 6, "baseFeeUpdateFraction": 3_338_477},
        "prague": {"target": 6, "max": 9, "baseFeeUpdateFraction": 5_007_716},
        "bpo1": {"target": 1, "max": 2, "baseFeeUpdateFraction": 77},
        "bpo3": {"target": 22, "max": 33, "baseFeeUpdateFraction": 18_000_000},
    },
}


def test_a_devnets_genesis_gives_its_schedule():
    schedule = schedule_of_genesis(GENESIS)
    found = [
        (schedule.fork_at(1, at), schedule.blobs_at(1, at), schedule.name_at(1, at))
        for at in (0, 10, 20, 30, 40)
    ]
    assert found == [
        (Fork.CANCUN, BLOB_PARAMETERS[Fork.CANCUN], "CANCUN"),
        (Fork.PRAGUE, BLOB_PARAMETERS[Fork.PRAGUE], "PRAGUE"),
        (Fork.OSAKA, BLOB_PARAMETERS[Fork.PRAGUE], "OSAKA"),
        (Fork.BPO1, BlobParameters(1, 2, 77), "BPO1"),
        (Fork.BPO1, BPO3, "BPO3"),
    ]
    assert schedule.fork_at(1, 50) is Fork.UNKNOWN
    assert schedule.deposit_contract == b"\x42" * 20


def test_a_genesis_that_is_none_is_refused():
    with pytest.raises(InputError, match="genesis config: chainId"):
        schedule_of_genesis({})
    with pytest.raises(InputError, match="depositContractAddress"):
        schedule_of_genesis({**GENESIS, "depositContractAddress": "0xzz"})
    with pytest.raises(InputError, match="goes backwards"):
        schedule_of_genesis({**GENESIS, "osakaTime": 5, "pragueTime": 10})
    for other in ([], None, "genesis.json", 7):
        with pytest.raises(InputError, match="genesis config: expected an object"):
            schedule_of_genesis(other)
    for schedule in ({"bpo1": {"target": 9, "max": 6, "baseFeeUpdateFraction": 1}}, {"bpo1": 5}, ["bpo1"]):
        with pytest.raises(InputError, match="genesis config"):
            schedule_of_genesis({**GENESIS, "blobSchedule": schedule})


@given(st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 40), st.integers(0, 40)), max_size=6))
def test_blob_forks_only_ever_change_the_blobs(entries):
    schedule = MAINNET
    wanted = {}
    for offset, target, more in entries:
        blobs = BlobParameters(target, target + more, 1_000)
        schedule = schedule.with_fork(2_000_000_000 + offset, "BPO9", blobs=blobs)
        wanted[2_000_000_000 + offset] = blobs
    for start, blobs in wanted.items():
        assert schedule.blobs_at(1 << 40, start) == blobs
        assert schedule.fork_at(1 << 40, start) is Fork.BPO2
    assert schedule.by_timestamp[: len(MAINNET.by_timestamp)] == MAINNET.by_timestamp


def test_the_networks_shipped_are_those_the_documents_list():
    assert set(SHIPPED) == {"mainnet", "sepolia", "hoodi", "devnet"}
    assert network_of(31_337).schedule.may_lack_request_contracts
    assert fork_table_of(SHIPPED["mainnet"]) == PUBLIC_NETWORKS[1].forks
