"""What a node says of its chain, with an execution node behind it or by mimicry, and what it answers."""

import pytest

from mev_dagster.devp2p.chain import ChainHead, KnownChain, MimicChain
from mev_dagster.devp2p.eth.messages import (
    BlockBodies,
    BlockHeaders,
    GetBlockBodies,
    GetBlockHeaders,
    GetPooledTransactions,
    GetReceipts,
    Receipts,
    Status,
    Transactions,
)
from mev_dagster.devp2p.forkid import ForkId, ForkTable
from mev_dagster.devp2p.gateway import pooled
from mev_dagster.devp2p.networks import PUBLIC_NETWORKS
from mev_dagster.devp2p.responder import RecentTransactions, Responder, TokenBucket
from mev_dagster.telemetry.clock import VirtualClock

GENESIS = b"\x01" * 32
FORKS = ForkTable(GENESIS, numbers=(100,))
HEAD = ChainHead(5, FORKS, 150, 1_800_000_000, b"\x02" * 32, total_difficulty=7)


def remote(**changes) -> Status:
    told = {
        "version": 69,
        "network_id": 5,
        "genesis": GENESIS,
        "fork_id": FORKS.fork_id(150, 0),
        "head_hash": b"\x03" * 32,
    }
    return Status(**{**told, **changes})


def test_a_known_head_is_told_in_the_shape_of_the_version():
    chain = KnownChain(HEAD)
    old, new = chain.own_status(68, None), chain.own_status(70, None)
    assert (old.total_difficulty, old.latest) == (7, 0)
    assert (new.total_difficulty, new.earliest, new.latest, new.version) == (0, 0, 150, 70)
    assert old.fork_id == new.fork_id == FORKS.fork_id(150, 0)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, None),
        ({"network_id": 6}, "other_network"),
        ({"genesis": b"\x09" * 32}, "other_genesis"),
        ({"fork_id": ForkId(b"abcd", 0)}, "other_chain"),
    ],
)
def test_strangers_are_told_apart(changes, verdict):
    assert KnownChain(HEAD).refusal(remote(**changes)) == verdict


def test_a_mimic_waits_learns_and_then_holds_to_what_it_learned():
    chain = MimicChain(VirtualClock())
    assert chain.own_status(69, None) is None
    assert chain.refusal(remote()) is None
    echo = chain.own_status(68, remote())
    assert (echo.genesis, echo.network_id, echo.head_hash) == (GENESIS, 5, b"\x03" * 32)
    assert chain.own_status(70, None).version == 70
    assert chain.refusal(remote(genesis=b"\x09" * 32)) == "other_genesis"
    assert chain.refusal(remote(network_id=6)) == "other_network"


def test_a_mimic_of_a_public_chain_knows_its_forks_by_the_clock():
    mainnet = PUBLIC_NETWORKS[1].forks
    clock = VirtualClock(1_770_000_000 * 10**9)
    chain = MimicChain(clock, network_id=1, forks=mainnet)
    now = mainnet.fork_id(24_400_000, 1_770_000_000)
    assert chain.refusal(remote(network_id=1, genesis=mainnet.genesis, fork_id=now)) is None
    stale = ForkId(mainnet.fork_id(20_000_000, 1_710_338_135).hash, 0)
    verdict = chain.refusal(remote(network_id=1, genesis=mainnet.genesis, fork_id=stale))
    assert verdict == "remote_stale"


class Numbers:
    """Headers that are their own number."""

    def find(self, start):
        return (start, bytes((start,))) if isinstance(start, int) and 10 <= start < 20 else None


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (GetBlockHeaders(1, 12, 3), [12, 13, 14]),
        (GetBlockHeaders(1, 12, 3, skip=1), [12, 14, 16]),
        (GetBlockHeaders(1, 12, 9, reverse=True), [12, 11, 10]),
        (GetBlockHeaders(1, 18, 2**63, skip=2**63), [18]),
        (GetBlockHeaders(1, b"\x01" * 32, 3), []),
    ],
)
def test_headers_are_answered_as_far_as_they_are_at_hand(query, numbers):
    answer = Responder(RecentTransactions(), Numbers()).answer(query)
    assert answer == BlockHeaders(1, tuple(bytes((number,)) for number in numbers))


def test_what_a_mempool_node_has_not_is_answered_with_nothing():
    responder = Responder(RecentTransactions())
    assert responder.answer(GetBlockBodies(2, (GENESIS,))) == BlockBodies(2)
    assert responder.answer(GetReceipts(3, (GENESIS,))) == Receipts(3)
    assert responder.answer(Transactions(())) is None


def test_answers_stop_at_two_mebibytes_and_the_cache_at_its_bounds():
    cache = RecentTransactions(count=100, size=40 * 100_000)
    large = [pooled(b"\x02" + number.to_bytes(4, "big") + bytes(99_995)) for number in range(50)]
    for transaction in large:
        cache.add(transaction)
    assert (len(cache), cache.size) == (40, 4_000_000)
    hashes = tuple(tx.hash for tx in large[10:])
    answer = Responder(cache).answer(GetPooledTransactions(1, hashes))
    assert [tx.hash for tx in answer.transactions] == list(hashes[:21])


def test_a_bucket_refills_with_time_and_never_overflows():
    bucket = TokenBucket(burst=2, per_second=1)
    assert [bucket.take(10**9) for _ in range(3)] == [True, True, False]
    assert bucket.take(2 * 10**9)
    assert [bucket.take(100 * 10**9) for _ in range(3)] == [True, True, False]
