"""Discovery nodes without sockets: bonds, lookups, records, and nothing for those who forge their address."""

import random

from mev_dagster.devp2p.discovery import DiscoveryNode
from mev_dagster.devp2p.discv4 import (
    Endpoint,
    EnrRequest,
    FindNode,
    Neighbors,
    Ping,
    Pong,
    decode_packet,
    encode_packet,
)
from mev_dagster.devp2p.enode import Enode
from mev_dagster.devp2p.enr import sign_record
from mev_dagster.devp2p.forkid import ForkId
from mev_dagster.devp2p.keys import NodeKey
from mev_dagster.devp2p.table import BUCKET_NODES, RoutingTable

NOW = 1_800_000_000.0


class Wire:
    """Nodes by address, and a wire that carries datagrams until it is quiet."""

    def __init__(self, count: int) -> None:
        self.nodes: dict[tuple[str, int], DiscoveryNode] = {}
        self.enodes: list[Enode] = []
        self.found: dict[int, dict] = {}
        for index in range(count):
            key = NodeKey(bytes((index + 1,)) * 32)
            host = f"10.0.{index}.1"
            ip = bytes((10, 0, index, 1))
            record = sign_record(key, 7, {b"ip": ip, b"tcp": 30303, b"udp": 30301, b"eth": [[b"abcd", 0]]})
            found = self.found[index] = {}
            self.nodes[host, 30301] = DiscoveryNode(
                key,
                Endpoint(host, 30301, 30303),
                lambda record=record: record,
                found=lambda enode, record, found=found: found.update({enode.id: (enode, record)}),
                rng=random.Random(index),
            )
            self.enodes.append(Enode(key.id, host, 30303, 30301))

    def node(self, index: int) -> DiscoveryNode:
        return self.nodes[self.enodes[index].host, 30301]

    def carry(self, source: int, datagrams, now: float = NOW) -> int:
        waiting = [((self.enodes[source].host, 30301), datagram) for datagram in datagrams]
        count = 0
        while waiting:
            origin, (data, target) = waiting.pop(0)
            count += 1
            if target in self.nodes:
                waiting += [(target, answer) for answer in self.nodes[target].receive(data, origin, now)]
        return count


def test_a_ping_leads_to_a_bond_both_ways_and_to_the_records():
    wire = Wire(2)
    wire.carry(0, wire.node(0).bootstrap([wire.enodes[1]], NOW))
    for one, other in ((0, 1), (1, 0)):
        enode, record = wire.found[one][wire.enodes[other].id]
        assert enode == wire.enodes[other]
        if record is not None:
            assert record.fork_id == ForkId(b"abcd", 0)
    assert any(record for _, record in (*wire.found[0].values(), *wire.found[1].values()))


def test_everybody_finds_everybody_through_one_bootnode():
    wire = Wire(12)
    for index in range(1, 12):
        wire.carry(index, wire.node(index).bootstrap([wire.enodes[0]], NOW))
    for round_ in range(6):
        for index in range(12):
            now = NOW + 6.0 * (round_ + 1)
            wire.carry(index, wire.node(index).tick(now), now)
    assert min(len(wire.node(index).table) for index in range(12)) >= 8


STRANGER = NodeKey(b"\x77" * 32)
END = Endpoint("9.9.9.9", 1, 2)


def test_who_has_not_proved_its_address_is_told_nothing():
    node = Wire(1).node(0)
    for packet in (FindNode(STRANGER.id, int(NOW) + 20), EnrRequest(int(NOW) + 20)):
        assert node.receive(encode_packet(packet, STRANGER)[0], ("9.9.9.9", 1), NOW) == []


def test_a_forged_source_is_not_flooded():
    """Answers to pings from one address are hardly more bytes than the pings were."""
    wire = Wire(1)
    received = sent = 0
    for number in range(1_000):
        ping = Ping(END, END, int(NOW) + 20 + number, 1)
        datagram, _ = encode_packet(ping, STRANGER)
        received += len(datagram)
        answers = wire.node(0).receive(datagram, ("9.9.9.9", 1), NOW + number / 100)
        sent += sum(len(data) for data, _ in answers)
    assert sent < 1.3 * received


def test_neighbours_nobody_asked_for_and_expired_packets_are_dropped():
    wire = Wire(2)
    node, sender = wire.node(0), NodeKey(b"\x02" * 32)
    wire.carry(0, node.bootstrap([wire.enodes[1]], NOW))
    before = node.dropped
    unasked = Neighbors((Enode(STRANGER.id, "8.8.8.8", 1, 1),), int(NOW) + 20)
    assert node.receive(encode_packet(unasked, sender)[0], ("10.0.1.1", 30301), NOW) == []
    for expiration in (int(NOW) - 1, 2**64 - int(NOW)):
        late = Ping(END, END, expiration, 1)
        assert node.receive(encode_packet(late, sender)[0], ("10.0.1.1", 30301), NOW) == []
    forged = Pong(END, b"\x01" * 32, int(NOW) + 20)
    assert node.receive(encode_packet(forged, STRANGER)[0], ("9.9.9.9", 1), NOW) == []
    assert node.dropped == before + 4


def test_a_bond_is_good_only_for_the_address_it_was_made_at():
    wire = Wire(2)
    wire.carry(0, wire.node(0).bootstrap([wire.enodes[1]], NOW))
    ask = encode_packet(FindNode(STRANGER.id, int(NOW) + 20), NodeKey(b"\x02" * 32))[0]
    (answer,) = wire.node(0).receive(ask, ("10.0.1.1", 30301), NOW)
    assert isinstance(decode_packet(answer[0]).packet, Neighbors)
    assert wire.node(0).receive(ask, ("6.6.6.6", 30301), NOW) == []


def test_a_full_bucket_keeps_who_answers():
    table = RoutingTable(STRANGER.id)
    for number in range(1, 200):
        table.add(Enode(NodeKey(number.to_bytes(32, "big")).id, "1.1.1.1", 1, 1), NOW)
    assert all(len(bucket) <= BUCKET_NODES for bucket in table._buckets.values())
    victim = table.nearest(STRANGER.id)[0]
    for _ in range(3):
        table.failed(victim.id)
    assert victim not in table.nearest(STRANGER.id, 500)
