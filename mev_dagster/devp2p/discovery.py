"""A discv4 node without its socket: datagrams and times in, datagrams out.

Nobody gets more than a pong before proving its address by answering our ping (the bond), and an unproven
address is pinged at a bounded rate: a forged source cannot turn us against its owner.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from cachetools import FIFOCache

from mev_dagster.devp2p.discv4 import (
    NEIGHBORS_PER_PACKET,
    Endpoint,
    EnrRequest,
    EnrResponse,
    FindNode,
    Neighbors,
    Packet,
    Ping,
    Pong,
    Signed,
    decode_packet,
    encode_packet,
)
from mev_dagster.devp2p.enode import Enode
from mev_dagster.devp2p.enr import NodeRecord, decode_record
from mev_dagster.devp2p.keys import ID_BYTES, NodeKey
from mev_dagster.devp2p.responder import TokenBucket
from mev_dagster.devp2p.table import RoutingTable
from mev_dagster.errors import DecodeError
from mev_dagster.units import NS_PER_SECOND

EXPIRY_SECONDS = 20
BOND_SECONDS = 12 * 3600.0
PING_TIMEOUT_SECONDS = 1.0
PINGS_AT_ONCE, PINGS_PER_SECOND = 32, 0.2  # to one unproven address
NEVER = 2**63  # others read times as signed: from here on they lie in the past
LOOKUP_SECONDS = 5.0
REVALIDATE_SECONDS = 2.0
ALPHA = 3
REMEMBERED = 4_096  # bonds, pings and requests each

Address = tuple[str, int]
Datagram = tuple[bytes, Address]
Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(slots=True)
class _Ping:
    """A ping that waits for its pong."""

    node_id: bytes
    address: Address
    sent: float


class DiscoveryNode:
    """One node of the discovery network."""

    def __init__(
        self,
        key: NodeKey,
        own: Endpoint,
        record: Callable[[], NodeRecord],
        *,
        found: Callable[[Enode, NodeRecord | None], None],
        rng: random.Random,
    ) -> None:
        self.table = RoutingTable(key.id)
        self.dropped = 0
        self._key, self._own, self._record, self._found, self._rng = key, own, record, found, rng
        self._pings: FIFOCache[bytes, _Ping] = FIFOCache(REMEMBERED)  # by the hash of the ping
        self._bonds: FIFOCache[tuple[bytes, str], float] = FIFOCache(REMEMBERED)  # they answered our ping
        self._served: FIFOCache[tuple[bytes, str], float] = FIFOCache(REMEMBERED)  # we answered theirs
        self._pinged: FIFOCache[str, TokenBucket] = FIFOCache(REMEMBERED)  # unproven addresses
        self._asked: FIFOCache[bytes, tuple[float, int]] = FIFOCache(
            REMEMBERED
        )  # FindNode: until, nodes so far
        self._records: FIFOCache[bytes, Enode] = FIFOCache(REMEMBERED)  # EnrRequest: by hash
        self._tcp_ports: FIFOCache[bytes, int] = FIFOCache(REMEMBERED)  # as told by a ping or a neighbour
        self._last_lookup = self._last_check = float("-inf")

    def bootstrap(self, nodes: Iterable[Enode], now: float) -> list[Datagram]:
        """Ping the nodes we were told of."""
        out: list[Datagram] = []
        for node in nodes:
            out += self._ping(node.id, (node.host, node.udp_port), now, tcp_port=node.tcp_port)
        return out

    def receive(self, data: bytes, address: Address, now: float) -> list[Datagram]:
        """Take a datagram; return what to send. What is damaged, expired or out of turn is dropped."""
        try:
            signed = decode_packet(data)
        except DecodeError:
            self.dropped += 1
            return []
        expiration = getattr(signed.packet, "expiration", now)
        if signed.node_id == self._key.id or not now <= expiration < NEVER:
            self.dropped += 1
            return []
        match signed.packet:
            case Ping():
                return self._on_ping(signed, signed.packet, address, now)
            case Pong():
                return self._on_pong(signed.packet, signed.node_id, address, now)
            case FindNode():
                return self._on_find_node(signed.packet, signed.node_id, address, now)
            case Neighbors():
                return self._on_neighbors(signed.packet, signed.node_id, now)
            case EnrRequest():
                return self._on_enr_request(signed, address, now)
            case EnrResponse():
                self._on_enr_response(signed.packet, signed.node_id)
                return []

    def tick(self, now: float) -> list[Datagram]:
        """Look for nodes, make sure that known ones still answer, forget lost pings."""
        while self._pings and next(iter(self._pings.values())).sent + PING_TIMEOUT_SECONDS < now:
            self.table.failed(self._pings.popitem()[1].node_id)
        out: list[Datagram] = []
        if now - self._last_check >= REVALIDATE_SECONDS and (entry := self.table.oldest()) is not None:
            self._last_check = now
            out += self._ping(entry.enode.id, (entry.enode.host, entry.enode.udp_port), now)
        if now - self._last_lookup >= LOOKUP_SECONDS:
            self._last_lookup = now
            target = self._rng.randbytes(ID_BYTES)
            for node in self.table.nearest(target, ALPHA):
                if self._is_served(node.id, node.host, now):
                    _remember(self._asked, node.id, (now + EXPIRY_SECONDS, 0))
                    out.append(self._pack(FindNode(target, self._expiry(now)), (node.host, node.udp_port)))
        return out

    # Packets

    def _on_ping(self, signed: Signed, ping: Ping, address: Address, now: float) -> list[Datagram]:
        host, port = address
        target = Endpoint(host, port, ping.source.tcp_port)
        out = [self._pack(Pong(target, signed.hash, self._expiry(now), self._record().seq), address)]
        _remember(self._served, (signed.node_id, host), now)
        if self._is_bonded(signed.node_id, host, now):
            self._learn(Enode(signed.node_id, host, ping.source.tcp_port or port, port), now)
        elif self._may_ping(host, now):
            out += self._ping(signed.node_id, address, now, tcp_port=ping.source.tcp_port)
        return out

    def _on_pong(self, pong: Pong, node_id: bytes, address: Address, now: float) -> list[Datagram]:
        ping = self._pings.pop(pong.ping_hash, None)
        if ping is None or ping.node_id != node_id or ping.address != address:
            self.dropped += 1
            return []
        host, port = address
        _remember(self._bonds, (node_id, host), now)
        tcp_port = self._tcp_ports.get(node_id, port)
        node = Enode(node_id, host, tcp_port, port)
        self._learn(node, now)
        if pong.enr_seq is None or not self._is_served(node_id, host, now):
            return []
        datagram, digest = encode_packet(EnrRequest(self._expiry(now)), self._key)
        _remember(self._records, digest, node)
        return [(datagram, address)]

    def _on_find_node(self, packet: FindNode, node_id: bytes, address: Address, now: float) -> list[Datagram]:
        if not self._is_bonded(node_id, address[0], now):
            self.dropped += 1
            return []
        nodes = [node for node in self.table.nearest(packet.target) if node.id != node_id]
        parts = [
            tuple(nodes[at : at + NEIGHBORS_PER_PACKET]) for at in range(0, len(nodes), NEIGHBORS_PER_PACKET)
        ]
        return [self._pack(Neighbors(part, self._expiry(now)), address) for part in parts or [()]]

    def _on_neighbors(self, packet: Neighbors, node_id: bytes, now: float) -> list[Datagram]:
        until, count = self._asked.get(node_id, (0.0, 0))
        count += len(packet.nodes)
        if until < now or count > 16:
            self.dropped += 1
            return []
        self._asked[node_id] = (until, count)
        out: list[Datagram] = []
        for node in packet.nodes:
            if node.udp_port and node.id != self._key.id and not self._is_bonded(node.id, node.host, now):
                out += self._ping(node.id, (node.host, node.udp_port), now, tcp_port=node.tcp_port)
        return out

    def _on_enr_request(self, signed: Signed, address: Address, now: float) -> list[Datagram]:
        if not self._is_bonded(signed.node_id, address[0], now):
            self.dropped += 1
            return []
        return [self._pack(EnrResponse(signed.hash, self._record().raw), address)]

    def _on_enr_response(self, packet: EnrResponse, node_id: bytes) -> None:
        node = self._records.pop(packet.request_hash, None)
        try:
            record = decode_record(packet.record)
        except DecodeError:
            self.dropped += 1
            return
        if node is None or node.id != node_id or record.node_id != node_id:
            self.dropped += 1
            return
        self._found(record.enode or node, record)

    # Small parts

    def _ping(self, node_id: bytes, address: Address, now: float, *, tcp_port: int = 0) -> list[Datagram]:
        target = Endpoint(address[0], address[1], tcp_port)
        ping = Ping(self._own, target, self._expiry(now), self._record().seq)
        datagram, digest = encode_packet(ping, self._key)
        _remember(self._pings, digest, _Ping(node_id, address, now))
        if tcp_port:
            _remember(self._tcp_ports, node_id, tcp_port)
        return [(datagram, address)]

    def _may_ping(self, host: str, now: float) -> bool:
        """A forged source must not make us ping its owner without end."""
        bucket = self._pinged.get(host) or TokenBucket(burst=PINGS_AT_ONCE, per_second=PINGS_PER_SECOND)
        _remember(self._pinged, host, bucket)
        return bucket.take(int(now * NS_PER_SECOND))

    def _learn(self, node: Enode, now: float) -> None:
        if self.table.add(node, now):
            self._found(node, None)

    def _is_bonded(self, node_id: bytes, host: str, now: float) -> bool:
        return now - self._bonds.get((node_id, host), float("-inf")) < BOND_SECONDS

    def _is_served(self, node_id: bytes, host: str, now: float) -> bool:
        return now - self._served.get((node_id, host), float("-inf")) < BOND_SECONDS

    def _pack(self, packet: Packet, address: Address) -> Datagram:
        return encode_packet(packet, self._key)[0], address

    def _expiry(self, now: float) -> int:
        return int(now) + EXPIRY_SECONDS


def _remember(memory: "FIFOCache[Key, Value]", key: Key, value: Value) -> None:
    """Keep a value as the newest, in the order of iteration too: what is oldest is looked at first."""
    memory.pop(key, None)
    memory[key] = value
