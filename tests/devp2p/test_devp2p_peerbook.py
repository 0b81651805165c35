"""What is remembered of peers, when they are tried again, and how a whole node keeps its number of peers."""

import asyncio
import random

import pytest
from devp2p_nodes import CLOCK, Notes, raws, serving, until
from devp2p_sessions import FixedChain
from prometheus_client import CollectorRegistry

from mev_dagster.devp2p.enode import Enode
from mev_dagster.devp2p.keys import NodeKey
from mev_dagster.devp2p.maintenance import PoolLimits
from mev_dagster.devp2p.mempool import Listener
from mev_dagster.devp2p.metrics import P2PMetrics, client_family
from mev_dagster.devp2p.network import NetworkConfig
from mev_dagster.devp2p.node import MempoolNode, NodeConfig
from mev_dagster.devp2p.peerbook import CAPACITY, Origin, PeerBook, load_key
from mev_dagster.devp2p.scoring import PeerScore
from mev_dagster.errors import InputError

NOW = 1_800_000_000.0
KEYS = [NodeKey((number + 1).to_bytes(32, "big")) for number in range(8)]
NODES = [Enode(key.id, f"10.0.0.{number}", 30303, 30303) for number, key in enumerate(KEYS)]


def book(path=None, **options) -> PeerBook:
    return PeerBook(path, rng=random.Random(1), **options)


def wait_after(reason: str, *, origin: Origin = Origin.DISCOVERED, times: int = 1) -> float:
    kept = book()
    kept.add(NODES[0], origin)
    for _ in range(times):
        kept.parted(NODES[0].id, reason, NOW)
    return kept.find(NODES[0].id).not_before - NOW


def test_trusted_and_static_peers_come_first_then_the_best():
    kept = book()
    for enode, origin in zip(NODES, (*[Origin.DISCOVERED] * 3, Origin.STATIC, Origin.TRUSTED), strict=False):
        kept.add(enode, origin)
    kept.parted(NODES[1].id, "remote_too_many_peers", NOW - 9_999, score=50.0)
    order = [enode.id for enode in kept.candidates(NOW, 5)]
    assert set(order[:2]) == {NODES[3].id, NODES[4].id}
    assert order[2] == NODES[1].id
    assert kept.candidates(NOW, 5, excluded=order) == []


def test_nobody_is_dialled_again_before_clients_would_let_us_in():
    for reason in ("refused", "timeout", "remote_too_many_peers", "connection_lost", "useless_peer"):
        assert wait_after(reason) >= 35.0, reason
    assert wait_after("timeout", times=20) <= 1.5 * 1_800


def test_a_full_peer_is_no_bad_peer():
    kept = book()
    kept.add(NODES[0], Origin.DISCOVERED)
    for _ in range(5):
        kept.parted(NODES[0].id, "remote_too_many_peers", NOW)
    assert kept.find(NODES[0].id).failures == 0


@pytest.mark.parametrize("reason", ["other_chain", "other_genesis", "useless_peer", "bad_body_mac"])
def test_strangers_and_offenders_stay_away_for_a_day_unless_we_were_told_to_keep_them(reason):
    assert wait_after(reason) >= 86_400
    assert wait_after(reason, origin=Origin.STATIC) < 3_600


def test_the_book_survives_a_restart_and_refuses_nonsense(tmp_path):
    path = tmp_path / "peers.json"
    kept = book(path)
    kept.add(NODES[0], Origin.BOOTNODE)
    kept.met(NODES[0].id, "Geth/v1", 69, NOW)
    kept.save()
    again = book(path)
    assert again.find(NODES[0].id) == kept.find(NODES[0].id)
    path.write_text("[{}]")
    with pytest.raises(InputError, match="delete it to start anew"):
        book(path)


def test_the_book_is_bounded_and_forgets_the_least_promising():
    kept = book()
    kept.add(NODES[0], Origin.STATIC)
    kept.add(NODES[1], Origin.DISCOVERED)
    kept.parted(NODES[1].id, "refused", NOW, score=-5.0)
    for number in range(CAPACITY):
        kept.add(Enode(number.to_bytes(64, "big"), "10.0.0.1", 1, 1), Origin.DISCOVERED)
    assert len(kept) == CAPACITY
    assert kept.find(NODES[0].id) is not None
    assert kept.find(NODES[1].id) is None


def test_an_identity_is_made_once_and_kept_private(tmp_path):
    path = tmp_path / "p2p" / "nodekey"
    assert load_key(path).id == load_key(path).id
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("not hex")
    with pytest.raises(InputError, match="not a private key"):
        load_key(path)


def test_a_score_prefers_who_shows_new_things_and_delivers():
    good, idle, poor = PeerScore(), PeerScore(), PeerScore()
    good.announced, good.first_seen = 100, 40
    good.responded(0.05, 10, 10)
    poor.announced, poor.first_seen = 100, 2
    poor.responded(2.0, 10, 1)
    assert good.value > idle.value > poor.value


def test_blame_fades_and_too_much_of_it_ends_a_session():
    score = PeerScore()
    assert not score.blame("wrong_type", 0)
    assert [score.blame("wrong_type", 1) for _ in range(10)][-1]
    assert not score.blame("wrong_type", 2_000_000_000_000)


def test_clients_are_counted_by_family():
    assert client_family("Geth/v1.16.8-stable/linux") == "geth"
    assert client_family("made-up by a stranger\n") == "other"


def node_for(*enodes: Enode, outbound: int = 25, folder=None) -> MempoolNode:
    metrics = P2PMetrics(CollectorRegistry())
    config = NodeConfig(
        folder=folder,
        network=NetworkConfig(listen_port=0),
        pool=PoolLimits(outbound=outbound),
        static=enodes,
        redial_seconds=0.05,
    )
    return MempoolNode(config, Listener(Notes(), CLOCK, metrics), FixedChain(), metrics, CLOCK)


async def test_a_node_keeps_its_peers_and_comes_back_to_those_that_left(tmp_path):
    async with serving() as (one, first), serving() as (_, second):
        node = node_for(first.enode, second.enode, folder=tmp_path)
        running = asyncio.create_task(node.run())
        await until(lambda: len(node.network.peers) == 2, "both peers")
        for peer in list(first.peers.values()):
            peer.connection.abort("pulled the plug")
        await until(lambda: len(node.network.peers) == 1 or first.peers == {}, "one to be missed")
        await until(lambda: len(node.network.peers) == 2, "both peers again")
        one.add(raws(10))
        await until(lambda: len(node._listener.recent) == 10, "bodies after the return")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert book(tmp_path / "peers.json").find(first.key.id).client.startswith("mev_dagster")


async def test_a_node_dials_no_more_peers_than_it_wants():
    async with serving() as (_, first), serving() as (_, second), serving() as (_, third):
        node = node_for(first.enode, second.enode, third.enode, outbound=2)
        running = asyncio.create_task(node.run())
        await until(lambda: len(node.network.peers) == 2, "two peers")
        await asyncio.sleep(0.7)
        assert len(node.network.peers) == 2
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
