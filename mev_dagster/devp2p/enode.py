"""enode URLs: how people name a node (`enode://<id>@<host>:<tcp port>[?discport=<udp port>]`).

The host may be a name: it is looked up at each dial, so that a node that moves is found again.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

from mev_dagster.devp2p.keys import parse_id
from mev_dagster.errors import DecodeError, InputError

_NAME = re.compile(r"(?=.{1,253}\Z)(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")
_NUMBERS = re.compile(r"[0-9.]+")  # an address that is none, not a name
_ID = re.compile(r"[0-9a-fA-F]{128}")


@dataclass(frozen=True, slots=True)
class Enode:
    """Where a node listens and which key it proves."""

    id: bytes
    host: str
    tcp_port: int
    udp_port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        discovery = "" if self.udp_port == self.tcp_port else f"?discport={self.udp_port}"
        return f"enode://{self.id.hex()}@{host}:{self.tcp_port}{discovery}"

    @property
    def is_named(self) -> bool:
        """Whether the host is a name that has to be looked up."""
        try:
            ip_address(self.host)
        except ValueError:
            return True
        return False

    @property
    def short(self) -> str:
        """The first eight bytes of the id: enough to tell peers apart in logs and events."""
        return self.id[:8].hex()


def parse_enode(url: str) -> Enode:
    """Parse an enode URL; raises `InputError` with the part that is wrong."""
    try:
        parts = urlsplit(url.strip())
        node_id, host, port = parts.username or "", parts.hostname or "", parts.port
        udp_port = int(parse_qs(parts.query).get("discport", [str(port or 0)])[0])
    except ValueError as error:
        raise InputError(f"enode: {error}") from None
    if parts.scheme != "enode" or not _ID.fullmatch(node_id):
        raise InputError("enode: expected enode://<128 hex digits>@host:port")
    try:
        host = str(ip_address(host))
    except ValueError:
        if not _NAME.fullmatch(host) or _NUMBERS.fullmatch(host):
            raise InputError(f"enode: expected an IP address or a host name, found {host!r}") from None
    if not port:
        raise InputError("enode: expected a TCP port")
    if not 0 <= udp_port < 2**16:
        raise InputError(f"enode: discport {udp_port} is no port")
    try:
        parse_id(bytes.fromhex(node_id))
    except DecodeError as error:
        raise InputError(f"enode: {error.detail}") from None
    return Enode(bytes.fromhex(node_id), host, port, udp_port)
