"""Fork ids against go-ethereum's mainnet table, known networks, and EIP-2124's own validation examples."""

import json

import pytest

from mev_dagster.devp2p.forkid import ForkId, ForkTable
from mev_dagster.devp2p.networks import PUBLIC_NETWORKS

MAINNET, SEPOLIA, HOODI = (PUBLIC_NETWORKS[chain].forks for chain in (1, 11_155_111, 560_048))


@pytest.mark.fixtures
def test_every_mainnet_fork_id_is_the_one_geth_computes(fixtures):
    vectors = json.loads((fixtures / "p2p" / "mainnet_forkids.json").read_text())
    assert len(vectors) == 38
    for vector in vectors:
        expected = ForkId(bytes.fromhex(vector["hash"][2:]), vector["next"])
        assert MAINNET.fork_id(vector["head"], vector["time"]) == expected, vector


def test_the_test_networks_end_where_they_do():
    assert MAINNET.fork_id(24_000_000, 1_767_747_671) == ForkId(bytes.fromhex("07c9462e"), 0)
    assert SEPOLIA.fork_id(9_500_000, 1_761_607_008).hash.hex() == "268956b6"
    assert HOODI.fork_id(0, 1_742_212_800).next == 1_742_999_832


PETERSBURG = 7_987_396
# Local head and time, remote hash and next, verdict: EIP-2124's list, on mainnet's table.
CASES = [
    (PETERSBURG, 0, "668db0af", 9_069_000, None),
    (PETERSBURG, 0, "668db0af", 2**64 - 1, None),
    (7_279_999, 0, "a00bc324", 7_280_000, None),
    (7_279_999, 0, "a00bc324", 2**64 - 1, None),
    (PETERSBURG, 0, "a00bc324", 7_280_000, None),
    (PETERSBURG, 0, "3edd5b10", 4_370_000, None),
    (4_369_999, 0, "a00bc324", 7_280_000, None),
    (PETERSBURG, 0, "a00bc324", 0, "remote_stale"),
    (PETERSBURG, 0, "5cddc0e1", 0, "other_chain"),
    (7_279_999, 0, "5cddc0e1", 0, "other_chain"),
    (PETERSBURG, 0, "afec6b27", 0, "other_chain"),
    (88_888_888, 0, "f0afd0e3", 88_888_888, "local_stale"),
    (20_000_000, 1_700_000_000, "dce96c2d", 1_710_338_135, None),
    (20_000_000, 1_700_000_000, "f0afd0e3", 1_681_338_455, None),
    (20_000_000, 1_700_000_000, "9f3d2254", 0, None),
    (20_000_000, 1_720_000_000, "9f3d2254", 1_719_999_999, "local_stale"),
]


@pytest.mark.parametrize(("number", "time", "remote", "following", "verdict"), CASES)
def test_a_remote_chain_is_judged_as_eip_2124_does(number, time, remote, following, verdict):
    assert MAINNET.refusal(ForkId(bytes.fromhex(remote), following), number, time) == verdict


def test_forks_at_or_before_genesis_do_not_count():
    table = ForkTable(b"\x01" * 32, genesis_time=500, numbers=(0, 0, 7, 7), times=(400, 500, 600))
    plain = ForkTable(b"\x01" * 32, numbers=(7,), times=(600,))
    assert table.fork_id(0, 500) == plain.fork_id(0, 0)
    assert table.fork_id(7, 600) == plain.fork_id(7, 600)
    assert table.fork_id(6, 500).next == 7
