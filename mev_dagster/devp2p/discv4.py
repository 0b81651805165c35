"""discv4 packets (devp2p discv4.md, EIP-868): signed datagrams of at most 1280 bytes.

    keccak(rest) (32) || signature (65) || type (1) || rlp(fields)

More fields than known and bytes after the list are allowed; an expired packet is not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeAlias

from mev_dagster.chain import rlp
from mev_dagster.chain.keccak import keccak
from mev_dagster.devp2p.enode import Enode
from mev_dagster.devp2p.keys import ID_BYTES, NodeKey, recover_id
from mev_dagster.errors import DecodeError

MAX_PACKET_BYTES = 1280
VERSION = 4
_HASH_END = 32
_TYPE_AT = 97
NEIGHBORS_PER_PACKET = 12  # more would not fit with IPv6 addresses


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a node says it can be reached; the address may be empty."""

    host: str
    udp_port: int
    tcp_port: int

    def fields(self) -> list[rlp.Encodable]:
        """Return the endpoint as packets hold it."""
        return [ip_address(self.host).packed if self.host else b"", self.udp_port, self.tcp_port]


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there? Also the first half of proving that an address is not forged."""

    source: Endpoint
    target: Endpoint
    expiration: int
    enr_seq: int | None = None
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Pong:
    """I am, and I got your ping with this hash."""

    target: Endpoint
    ping_hash: bytes
    expiration: int
    enr_seq: int | None = None


@dataclass(frozen=True, slots=True)
class FindNode:
    """Whom do you know near this id?"""

    target: bytes
    expiration: int


@dataclass(frozen=True, slots=True)
class Neighbors:
    """These."""

    nodes: tuple[Enode, ...]
    expiration: int


@dataclass(frozen=True, slots=True)
class EnrRequest:
    """Show me your record (EIP-868)."""

    expiration: int


@dataclass(frozen=True, slots=True)
class EnrResponse:
    """My record, still to be verified."""

    request_hash: bytes
    record: bytes


Packet: TypeAlias = Ping | Pong | FindNode | Neighbors | EnrRequest | EnrResponse


@dataclass(frozen=True, slots=True)
class Signed:
    """A packet with who signed it and the hash that answers refer to."""

    packet: Packet
    node_id: bytes
    hash: bytes


def encode_packet(packet: Packet, key: NodeKey) -> tuple[bytes, bytes]:
    """Sign a packet; return the datagram and its hash."""
    kind, fields = _fields_of(packet)
    body = bytes((kind,)) + rlp.encode(fields)
    signed = key.sign(keccak(body)) + body
    digest = keccak(signed)
    return digest + signed, digest


def decode_packet(data: bytes) -> Signed:
    """Check a datagram's size, hash and signature, and decode it."""
    if not _TYPE_AT + 1 < len(data) <= MAX_PACKET_BYTES:
        raise DecodeError("bad_packet_size", f"{len(data)} bytes, at most {MAX_PACKET_BYTES} are read")
    digest = data[:_HASH_END]
    if keccak(data[_HASH_END:]) != digest:
        raise DecodeError("bad_packet_hash", "the datagram was damaged")
    reader = _READERS.get(data[_TYPE_AT])
    if reader is None:
        raise DecodeError("unknown_packet", f"no packet type {data[_TYPE_AT]}")
    is_list, _, stop = rlp.payload_span(data, _TYPE_AT + 1, len(data))
    if not is_list:
        raise DecodeError("rlp_not_a_list", "expected a packet's fields, found a string")
    packet = reader(rlp.decode_list(data[_TYPE_AT + 1 : stop]))
    return Signed(packet, recover_id(keccak(data[_TYPE_AT:]), data[_HASH_END:_TYPE_AT]), digest)


def _fields_of(packet: Packet) -> tuple[int, list[rlp.Encodable]]:
    match packet:
        case Ping():
            seq = [] if packet.enr_seq is None else [packet.enr_seq]
            ends = [packet.source.fields(), packet.target.fields()]
            return 1, [packet.version, *ends, packet.expiration, *seq]
        case Pong():
            seq = [] if packet.enr_seq is None else [packet.enr_seq]
            return 2, [packet.target.fields(), packet.ping_hash, packet.expiration, *seq]
        case FindNode():
            return 3, [packet.target, packet.expiration]
        case Neighbors():
            return 4, [[_node_fields(node) for node in packet.nodes], packet.expiration]
        case EnrRequest():
            return 5, [packet.expiration]
        case EnrResponse():
            return 6, [packet.request_hash, rlp.decode(packet.record)]


def _node_fields(node: Enode) -> list[rlp.Encodable]:
    return [ip_address(node.host).packed, node.udp_port, node.tcp_port, node.id]


def _need(fields: list[rlp.Item], count: int, name: str) -> list[rlp.Item]:
    if len(fields) < count:
        raise DecodeError("wrong_field_count", f"{name}: {len(fields)} fields, expected {count}")
    return fields


def _time(item: rlp.Item) -> int:
    return rlp.integer(item, bits=64, name="expiration")


def _seq(fields: list[rlp.Item], index: int) -> int | None:
    """Read a record's sequence number where EIP-868 put it; what stands there may be something else."""
    if len(fields) <= index:
        return None
    value = fields[index]
    return int.from_bytes(value, "big") if isinstance(value, bytes) and len(value) <= 8 else None


def _endpoint(item: rlp.Item) -> Endpoint:
    fields = _need(rlp.items(item, name="endpoint"), 3, "endpoint")
    ip = rlp.text(fields[0], name="ip")
    if len(ip) not in (0, 4, 16):
        raise DecodeError("bad_ip", f"an address of {len(ip)} bytes")
    ports = [rlp.integer(port, bits=16, name="port") for port in fields[1:3]]
    return Endpoint(str(ip_address(ip)) if ip else "", *ports)


def _read_ping(fields: list[rlp.Item]) -> Ping:
    version, source, target, expiration = _need(fields, 4, "ping")[:4]
    return Ping(
        _endpoint(source),
        _endpoint(target),
        _time(expiration),
        _seq(fields, 4),
        rlp.integer(version, bits=64, name="version"),
    )


def _read_pong(fields: list[rlp.Item]) -> Pong:
    target, ping_hash, expiration = _need(fields, 3, "pong")[:3]
    digest = rlp.fixed(ping_hash, 32, name="ping hash")
    return Pong(_endpoint(target), digest, _time(expiration), _seq(fields, 3))


def _read_find_node(fields: list[rlp.Item]) -> FindNode:
    target, expiration = _need(fields, 2, "findnode")[:2]
    return FindNode(rlp.fixed(target, ID_BYTES, name="target"), _time(expiration))


def _read_neighbors(fields: list[rlp.Item]) -> Neighbors:
    nodes, expiration = _need(fields, 2, "neighbors")[:2]
    return Neighbors(tuple([_node(node) for node in rlp.items(nodes, name="neighbors")]), _time(expiration))


def _node(item: rlp.Item) -> Enode:
    fields = _need(rlp.items(item, name="neighbor"), 4, "neighbor")
    end = _endpoint(list(fields[:3]))
    node_id = rlp.fixed(fields[3], ID_BYTES, name="neighbor id")
    return Enode(node_id, end.host, end.tcp_port, end.udp_port)


def _read_enr_request(fields: list[rlp.Item]) -> EnrRequest:
    return EnrRequest(_time(_need(fields, 1, "enr request")[0]))


def _read_enr_response(fields: list[rlp.Item]) -> EnrResponse:
    request_hash, record = _need(fields, 2, "enr response")[:2]
    digest = rlp.fixed(request_hash, 32, name="request hash")
    return EnrResponse(digest, rlp.encode(rlp.items(record, name="record")))


_READERS: dict[int, Callable[[list[rlp.Item]], Packet]] = {
    1: _read_ping,
    2: _read_pong,
    3: _read_find_node,
    4: _read_neighbors,
    5: _read_enr_request,
    6: _read_enr_response,
}
