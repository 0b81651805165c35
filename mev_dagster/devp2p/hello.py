"""The p2p capability (devp2p base protocol, version 5): Hello, Disconnect, and what two Hellos agree on."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from mev_dagster.chain import rlp
from mev_dagster.devp2p.keys import ID_BYTES
from mev_dagster.errors import DecodeError

P2P_VERSION = 5
SNAPPY_SINCE = 5
MAX_BASE_MESSAGE_BYTES = 2 * 1024

HELLO = 0x00
DISCONNECT = 0x01
PING = 0x02
PONG = 0x03
SUBPROTOCOLS_FROM = 0x10

EMPTY_LIST = b"\xc0"


class Reason(IntEnum):
    """Why a peer ends a session."""

    REQUESTED = 0x00
    TCP_ERROR = 0x01
    PROTOCOL_BREACH = 0x02
    USELESS_PEER = 0x03
    TOO_MANY_PEERS = 0x04
    ALREADY_CONNECTED = 0x05
    INCOMPATIBLE_VERSION = 0x06
    NULL_IDENTITY = 0x07
    QUITTING = 0x08
    UNEXPECTED_IDENTITY = 0x09
    SELF = 0x0A
    TIMEOUT = 0x0B
    SUBPROTOCOL = 0x10
    UNKNOWN = 0xFF

    @property
    def label(self) -> str:
        """The reason as metrics and logs show it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Capability:
    """A subprotocol and one version of it."""

    name: str
    version: int


@dataclass(frozen=True, slots=True)
class Hello:
    """What each end says first."""

    client: str
    capabilities: tuple[Capability, ...]
    node_id: bytes
    listen_port: int = 0
    p2p_version: int = P2P_VERSION

    def encode(self) -> bytes:
        """Return the payload of a Hello message."""
        capabilities = sorted((entry.name.encode(), entry.version) for entry in self.capabilities)
        return rlp.encode(
            [self.p2p_version, self.client.encode(), capabilities, self.listen_port, self.node_id]
        )


def decode_hello(payload: bytes) -> Hello:
    """Decode a Hello; fields after the fifth are for later versions and are not read."""
    fields = rlp.decode_list(payload)
    if len(fields) < 5:
        raise DecodeError("bad_hello", f"{len(fields)} fields, expected at least 5")
    version, client, capabilities, port, node_id = fields[:5]
    return Hello(
        client=rlp.text(client, name="client").decode("utf-8", "replace")[:256],
        capabilities=tuple([_capability(entry) for entry in rlp.items(capabilities, name="capabilities")]),
        node_id=rlp.fixed(node_id, ID_BYTES, name="node id"),
        listen_port=rlp.integer(port, bits=16, name="listen port"),
        p2p_version=rlp.integer(version, bits=64, name="p2p version"),
    )


def _capability(item: rlp.Item) -> Capability:
    fields = rlp.items(item, name="capability")
    if len(fields) < 2:
        raise DecodeError("bad_hello", "a capability has a name and a version")
    name = rlp.text(fields[0], name="capability name").decode("ascii", "replace")
    return Capability(name, rlp.integer(fields[1], bits=64, name="capability version"))


def shared_version(name: str, ours: Iterable[Capability], theirs: Iterable[Capability]) -> int | None:
    """Return the highest version of `name` that both ends speak."""
    return max(
        {entry.version for entry in ours if entry.name == name}
        & {entry.version for entry in theirs if entry.name == name},
        default=None,
    )


def encode_disconnect(reason: Reason) -> bytes:
    """Return the payload of a Disconnect message."""
    return rlp.encode([int(reason)])


def decode_disconnect(payload: bytes) -> Reason:
    """Read a reason from whatever a leaving peer sent: a list, a bare integer, or nothing."""
    for byte in payload[-1:]:
        try:
            return Reason(0 if byte in (0x80, 0xC0) else byte)
        except ValueError:
            return Reason.UNKNOWN
    return Reason.UNKNOWN
