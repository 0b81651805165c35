"""One peer's conversation without its socket: bytes in, events out.

    session.receive(data)
    while (event := session.next_event()) is not None: ...   # DecodeError: say why and hang up
    transport.write(session.take_output())

Order is enforced: handshake, one Hello, one Status, then messages. Pings are answered here.
"""

import os
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol, TypeAlias

from mev_dagster.devp2p import snappy
from mev_dagster.devp2p.eth.codec import LENGTHS, OFFERED_VERSIONS, STATUS_ID, decode_message, encode_message
from mev_dagster.devp2p.eth.messages import Message, Status
from mev_dagster.devp2p.hello import (
    DISCONNECT,
    EMPTY_LIST,
    HELLO,
    MAX_BASE_MESSAGE_BYTES,
    PING,
    PONG,
    SNAPPY_SINCE,
    SUBPROTOCOLS_FROM,
    Capability,
    Hello,
    Reason,
    decode_disconnect,
    decode_hello,
    encode_disconnect,
    shared_version,
)
from mev_dagster.devp2p.keys import Entropy, NodeKey
from mev_dagster.devp2p.rlpx import RawMessage, RlpxLink
from mev_dagster.errors import DecodeError, ProtocolViolation
from mev_dagster.units import MIB

MAX_MESSAGE_BYTES = 10 * MIB
ETH = "eth"


class StatusSource(Protocol):
    """Where our side of the chain check comes from."""

    def own_status(self, version: int, remote: Status | None) -> Status | None:
        """Return what to tell a peer; None to wait until the peer has told its own."""
        ...

    def refusal(self, remote: Status) -> str | None:
        """Say why a peer is on another chain, None when it may be on ours."""
        ...


@dataclass(frozen=True, slots=True)
class Handshaken:
    """The link is encrypted and the peer's id is known."""

    remote_id: bytes


@dataclass(frozen=True, slots=True)
class Ready:
    """Both ends said Hello and Status and agree on a version and a chain."""

    hello: Hello
    version: int
    status: Status


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The peer said goodbye."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Ponged:
    """The peer answered a ping, or pinged us and was answered."""


Event: TypeAlias = Handshaken | Ready | Disconnected | Ponged | Message


class State(Enum):
    """How far a conversation is; also the stage a failed handshake is counted under."""

    HANDSHAKE = auto()
    HELLO = auto()
    STATUS = auto()
    OPEN = auto()
    CLOSED = auto()


class Session:
    """A conversation with one peer. The caller owns the socket, the clock and what to do with events."""

    def __init__(
        self,
        key: NodeKey,
        remote_id: bytes | None,
        *,
        client: str,
        statuses: StatusSource,
        versions: tuple[int, ...] = OFFERED_VERSIONS,
        listen_port: int = 0,
        entropy: Entropy = os.urandom,
    ) -> None:
        self.state = State.HANDSHAKE
        self.version = 0
        self.hello: Hello | None = None
        self.link = RlpxLink(key, remote_id, entropy=entropy)
        self.link.frame_limit = MAX_BASE_MESSAGE_BYTES
        self.last_message = ""
        self._statuses = statuses
        self._own_hello = Hello(
            client, tuple([Capability(ETH, version) for version in versions]), key.id, listen_port
        )
        self._status_sent = False
        self._compressed = False

    @property
    def remote_id(self) -> bytes | None:
        """Who the peer is: told by the dialler, or proven by the handshake."""
        return self.link.remote_id

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer."""
        self.link.receive(data)

    def take_output(self) -> bytes:
        """Return, once, what is to be written to the peer."""
        return self.link.take_output()

    def next_event(self) -> Event | None:
        """Return the next event, None until more bytes came; raises `DecodeError` when the peer errs."""
        while self.state is not State.CLOSED:
            if self.state is State.HANDSHAKE:
                if not self.link.shake_hands():
                    return None
                self.state = State.HELLO
                self.link.send(HELLO, self._own_hello.encode())
                assert self.link.remote_id is not None, "an established link has two ends"
                return Handshaken(self.link.remote_id)
            message = self.link.next_message()
            if message is None:
                return None
            event = self._base(message) if message.id < SUBPROTOCOLS_FROM else self._eth(message)
            if event is not None:
                return event
        return None

    def send(self, message: Message) -> int:
        """Queue an eth message; return its payload's size before compression."""
        message_id, payload = encode_message(message, self.version)
        self.link.send(SUBPROTOCOLS_FROM + message_id, self._packed(payload))
        return len(payload)

    def ping(self) -> None:
        """Queue a ping."""
        self.link.send(PING, self._packed(EMPTY_LIST))

    def disconnect(self, reason: Reason) -> None:
        """Queue a goodbye, where the link is up, and read nothing more."""
        if self.link.established and self.state is not State.CLOSED:
            self.link.send(DISCONNECT, self._packed(encode_disconnect(reason)))
        self.state = State.CLOSED

    # The p2p capability

    def _base(self, message: RawMessage) -> Event | None:
        self.last_message = "p2p"
        if message.id == DISCONNECT:
            self.state = State.CLOSED
            return Disconnected(decode_disconnect(self._leniently(message.payload)))
        if self.state is State.HELLO:
            if message.id != HELLO:
                raise ProtocolViolation("no_hello", f"message 0x{message.id:02x} came before Hello")
            self._hello(message.payload)
            return None
        if message.id == HELLO:
            raise ProtocolViolation("second_hello", "a Hello is sent exactly once")
        self._unpacked(message.payload, MAX_BASE_MESSAGE_BYTES)
        if message.id == PING:
            self.link.send(PONG, self._packed(EMPTY_LIST))
        elif message.id != PONG:
            raise ProtocolViolation("bad_message_id", f"p2p has no message 0x{message.id:02x}")
        return Ponged()

    def _hello(self, payload: bytes) -> None:
        hello = decode_hello(payload)
        if hello.node_id != self.link.remote_id:
            raise ProtocolViolation("unexpected_identity", "Hello names another key than the handshake")
        version = shared_version(ETH, self._own_hello.capabilities, hello.capabilities)
        if version is None:
            theirs = ", ".join(f"{entry.name}/{entry.version}" for entry in hello.capabilities[:8])
            raise ProtocolViolation("useless_peer", f"no eth version in common: {theirs}")
        self.hello, self.version = hello, version
        self._compressed = hello.p2p_version >= SNAPPY_SINCE
        self.state = State.STATUS
        self.link.frame_limit = MAX_MESSAGE_BYTES + 1
        self._send_status(None)

    # The eth capability

    def _eth(self, message: RawMessage) -> Event | None:
        message_id = message.id - SUBPROTOCOLS_FROM
        if self.state is State.HELLO:
            raise ProtocolViolation("no_hello", f"message 0x{message.id:02x} came before Hello")
        if self.state is State.STATUS and message_id != STATUS_ID:
            raise ProtocolViolation("no_status", f"message 0x{message.id:02x} came before Status")
        if message_id >= LENGTHS[self.version]:
            raise ProtocolViolation("bad_message_id", f"no capability has message 0x{message.id:02x}")
        payload = self._unpacked(message.payload, MAX_MESSAGE_BYTES)
        decoded = decode_message(message_id, payload, self.version)
        if isinstance(decoded, Status):
            return self._status(decoded)
        return decoded

    def _status(self, status: Status) -> Ready:
        if self.state is State.OPEN:
            raise ProtocolViolation("second_status", "a Status is sent exactly once")
        if status.version != self.version:
            raise ProtocolViolation("wrong_version", f"Status of eth/{status.version} on eth/{self.version}")
        if self.version >= 69 and (status.earliest > status.latest or not any(status.head_hash)):
            raise ProtocolViolation("bad_range", "the served blocks are no range, or their head has no hash")
        if refusal := self._statuses.refusal(status):
            raise ProtocolViolation(refusal, "the peer is on another chain")
        self._send_status(status)
        if not self._status_sent:
            raise ProtocolViolation("no_chain", "there is no chain to tell this peer about")
        self.state = State.OPEN
        assert self.hello is not None, "Hello precedes Status"
        return Ready(self.hello, self.version, status)

    def _send_status(self, remote: Status | None) -> None:
        if self._status_sent:
            return
        own = self._statuses.own_status(self.version, remote)
        if own is not None:
            self._status_sent = True
            self.send(own)

    # Compression

    def _packed(self, payload: bytes) -> bytes:
        return snappy.compress(payload) if self._compressed else payload

    def _unpacked(self, payload: bytes, limit: int) -> bytes:
        if self._compressed:
            return snappy.decompress(payload, limit)
        if len(payload) > limit:
            raise ProtocolViolation("oversize_message", f"{len(payload)} bytes, at most {limit} are read")
        return payload

    def _leniently(self, payload: bytes) -> bytes:
        """A Disconnect is often sent uncompressed, whatever was agreed."""
        try:
            return self._unpacked(payload, MAX_BASE_MESSAGE_BYTES)
        except DecodeError:
            return payload
