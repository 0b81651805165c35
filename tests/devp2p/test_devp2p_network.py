"""Real sockets on loopback: listeners, gateways, and what happens when either misbehaves."""

import asyncio

import pytest
from devp2p_nodes import listening, raws, serving, until
from devp2p_sessions import FixedChain

from mev_dagster.chain.keccak import keccak
from mev_dagster.devp2p.admission import Admission, InboundLimits
from mev_dagster.devp2p.enode import Enode
from mev_dagster.devp2p.eth.messages import (
    BlockAccessLists,
    BlockHeaders,
    GetBlockAccessLists,
    GetBlockHeaders,
    GetPooledTransactions,
    PooledTransactions,
    Transactions,
)
from mev_dagster.devp2p.fetcher import FetchLimits
from mev_dagster.devp2p.gateway import Gateway, pooled
from mev_dagster.devp2p.hello import Reason
from mev_dagster.devp2p.keys import NodeKey
from mev_dagster.devp2p.network import NetworkConfig
from mev_dagster.errors import PeerUnreachable

MS = 1_000_000


async def test_a_listener_fetches_every_announced_body_once_and_notes_every_announcer():
    async with listening() as node, serving() as (one, first), serving() as (two, second):
        for network in (first, second):
            await node.network.dial(network.enode)
        transactions = raws(1_000)
        one.add(transactions)
        two.add(transactions[500:])
        await until(lambda: len(node.notes.bodies) == 1_000, "all bodies")
        assert node.notes.bodies == {keccak(raw): raw for raw in transactions}
        await until(lambda: len(node.notes.seen) == 1_500, "all sightings")
        assert len(set(node.notes.seen)) == 1_500
        assert one.served + two.served == 1_000


async def test_a_pool_that_is_there_already_is_announced_to_whoever_joins():
    async with serving() as (gateway, network), listening() as node:
        gateway.add(raws(5_000))
        await node.network.dial(network.enode)
        await until(lambda: len(node.notes.bodies) == 5_000, "the pool")


@pytest.mark.parametrize("version", [68, 69, 70, 71])
async def test_every_offered_version_works_in_both_directions(version):
    offered = NetworkConfig(listen_port=0, versions=(version,))
    async with listening(offered) as node, serving() as (gateway, network):
        peer = await network.dial(node.network.enode)
        assert peer.version == version
        gateway.add(raws(20))
        await until(lambda: len(node.notes.bodies) == 20, "bodies over an inbound connection")


async def test_pushed_transactions_are_sightings_and_bodies():
    async with listening() as node, serving() as (_, network):
        peer = await network.dial(node.network.enode)
        pushed = [pooled(raw) for raw in raws(3)]
        peer.send(Transactions(tuple(pushed)))
        peer.send(Transactions(()))
        peer.send(Transactions(tuple(pushed)))
        await until(lambda: len(node.notes.seen) == 6, "sightings")
        assert len(node.notes.bodies) == 3


class Conversation(Gateway):
    """A gateway that keeps the answers it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = []

    def message(self, peer, message, wall_ns, mono_ns) -> None:
        self.heard.append(message)
        super().message(peer, message, wall_ns, mono_ns)


async def test_a_listener_answers_in_the_shape_of_the_version_and_serves_what_it_fetched():
    async with listening() as node, serving(Conversation()) as (gateway, network):
        transactions = raws(4)
        peer = await network.dial(node.network.enode)
        gateway.add(transactions)
        await until(lambda: len(node.notes.bodies) == 4, "bodies")
        hashes = tuple(node.notes.bodies)
        peer.send(GetPooledTransactions(7, (*hashes, b"\x01" * 32)))
        peer.send(GetBlockHeaders(8, 5, 3))
        peer.send(GetBlockAccessLists(9, hashes[:2]))
        await until(lambda: len(gateway.heard) >= 4, "answers")
        answers = {message.request_id: message for message in gateway.heard if hasattr(message, "request_id")}
        assert {tx.raw for tx in answers[7].transactions} == set(transactions)
        assert answers[8] == BlockHeaders(8)
        assert answers[9] == BlockAccessLists(9, (b"\x80", b"\x80"))


class Withholding(Gateway):
    """Announces and never answers."""

    def message(self, peer, message, wall_ns, mono_ns) -> None:
        pass


class Forging(Gateway):
    """Answers every request with something else, and with ids nobody asked under."""

    def message(self, peer, message, wall_ns, mono_ns) -> None:
        if isinstance(message, GetPooledTransactions):
            forged = tuple(pooled(raw) for raw in raws(len(message.hashes), seed=99))
            peer.send(PooledTransactions(message.request_id, forged))
            peer.send(PooledTransactions(message.request_id + 1000, forged))


@pytest.mark.parametrize("adversary", [Withholding, Forging])
async def test_one_honest_peer_is_enough(adversary):
    quick = FetchLimits(hedge_ns=100 * MS, timeout_ns=300 * MS)
    async with (
        listening(limits=quick) as node,
        serving(adversary()) as (bad, bad_network),
        serving() as (good, good_network),
    ):
        await node.network.dial(bad_network.enode)
        await node.network.dial(good_network.enode)
        transactions = raws(700)
        bad.add(transactions)
        await asyncio.sleep(0.02)
        good.add(transactions)
        await until(lambda: len(node.notes.bodies) == 700, "all bodies in spite of the adversary")


async def test_a_forger_is_let_go():
    async with listening() as node, serving(Forging()) as (bad, network):
        await node.network.dial(network.enode)
        bad.add(raws(700))
        await until(lambda: node.notes.peers == 0, "the forger to be dropped")
        assert node.notes.bodies == {}


async def test_a_full_observer_stops_the_reading_and_loses_nothing():
    async with listening() as node, serving() as (gateway, network):
        await node.network.dial(network.enode)
        node.notes.full = True
        gateway.add(raws(2_000))
        await asyncio.sleep(0.2)
        assert node.notes.bodies == {}
        node.notes.full = False
        await until(lambda: len(node.notes.bodies) == 2_000, "everything after the pause")


async def test_dials_fail_with_the_stage_and_the_reason():
    async with listening() as node, serving() as (_, network):
        with pytest.raises(PeerUnreachable, match="refused"):
            await node.network.dial(Enode(NodeKey.generate().id, "127.0.0.1", 1, 1))
        stranger = Enode(NodeKey.generate().id, "127.0.0.1", network.port, network.port)
        with pytest.raises(PeerUnreachable, match=r"connection_(lost|reset)"):
            await node.network.dial(stranger)  # it cannot open what was sealed for another key
        await node.network.dial(network.enode)
        with pytest.raises(PeerUnreachable, match="already_connected"):
            await node.network.dial(network.enode)
        with pytest.raises(PeerUnreachable, match="self"):
            await node.network.dial(node.network.enode)


async def test_a_mute_listener_is_given_up_in_time():
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with listening() as node:
        with pytest.raises(PeerUnreachable, match="timeout"):
            await node.network.dial(Enode(NodeKey.generate().id, "127.0.0.1", port, port), seconds=0.1)
    server.close()


async def test_a_peer_of_another_chain_is_told_so():
    async with serving() as (_, network), listening() as node:
        node.network._statuses = FixedChain(b"\x48" * 32)
        with pytest.raises(PeerUnreachable, match=r"other_genesis|remote_subprotocol"):
            await node.network.dial(network.enode)


async def test_a_leaving_peer_says_goodbye_and_is_counted():
    async with listening() as node, serving() as (_, network):
        peer = await network.dial(node.network.enode)
        peer.disconnect("tired", Reason.QUITTING)
        await until(lambda: node.notes.peers == 0, "the peer to be gone")
        samples = [
            sample.labels
            for family in node.metrics.disconnects.collect()
            for sample in family.samples
            if sample.name.endswith("_total") and sample.value
        ]
        assert samples == [{"direction": "in", "reason": "remote_quitting"}]


# Who may come in


def test_strangers_are_limited_by_address_by_subnet_and_by_pace():
    door = Admission(InboundLimits(per_ip=2, per_subnet=3, seconds_between=30))
    assert door.refusal("1.2.3.4", 0) is None
    assert door.refusal("1.2.3.4", 1) == "too_soon"
    assert door.refusal("1.2.3.4", 31) is None
    assert door.refusal("1.2.3.4", 62) == "per_ip"
    assert door.refusal("1.2.3.5", 62) is None
    assert door.refusal("1.2.3.6", 62) == "per_subnet"
    assert door.refusal("1.2.4.6", 62) is None
    door.released("1.2.3.4", was_open=False)
    assert door.refusal("1.2.3.6", 62) is None


def test_neighbours_count_only_towards_the_totals():
    door = Admission(InboundLimits(pending=3, peers=2))
    assert [door.refusal("127.0.0.1", 0) for _ in range(4)] == [None, None, None, "pending_full"]
    door.opened()
    assert door.refusal("127.0.0.1", 0) is None
    door.opened()
    assert door.refusal("127.0.0.1", 0) == "peers_full"
    door.released("127.0.0.1", was_open=True)
    assert door.refusal("127.0.0.1", 0) is None


async def test_a_fault_in_the_clockwork_is_not_silent(monkeypatch):
    async with listening() as node:
        monkeypatch.setattr(node.listener, "tick", lambda now_ns: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(node.network.watch(), 20)
