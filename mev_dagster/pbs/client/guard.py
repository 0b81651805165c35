"""The transport guard: a submission leaves this process only to an address of this machine's loopback.

It holds by construction, not by configuration: the socket for a connection is made here, from the very
address it will connect to, so no name, redirect, proxy or second DNS answer can lead elsewhere.
"""

import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from mev_dagster.errors import InputError, RelayRefused

KNOWN_RELAY_DOMAINS = (
    "flashbots.net",
    "blxrbdn.com",
    "edennetwork.io",
    "securerpc.com",
    "ultrasound.money",
    "agnostic-relay.net",
    "aestus.live",
    "wenmerge.com",
    "titanrelay.xyz",
    "titanbuilder.xyz",
    "btcs.com",
)


def check_relay_url(url: str) -> str:
    """Return `scheme://host:port` of a relay that may be tried at all; raise `RelayRefused` otherwise.

    Credentials are refused because public relays are written as `https://0x<pubkey>@host`.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"relay address: {error}") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise InputError(f"relay address: expected http://host:port, found {url}")
    name = host.rstrip(".").lower()
    for domain in KNOWN_RELAY_DOMAINS:
        if name == domain or name.endswith("." + domain):
            raise RelayRefused(f"{host} is a public relay; this program only submits to its sandbox")
    if parts.username is not None or parts.password is not None:
        raise RelayRefused(f"the address of {host} carries credentials, as public relays' do")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port else "")


def loopback_socket(address: tuple[Any, ...]) -> socket.socket:
    """Make the socket for one resolved address, or refuse it when it is not loopback."""
    family, kind, protocol, _, target = address
    require_loopback(str(target[0]))
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    return made


def require_loopback(host: str) -> None:
    """Raise unless `host` is a literal loopback address, IPv4 mapped into IPv6 included."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError as error:
        raise RelayRefused(f"{host} is no IP address") from error
    mapped = getattr(address, "ipv4_mapped", None)
    if not (mapped or address).is_loopback:
        raise RelayRefused(f"{host} is not this machine's loopback; this program only submits to its sandbox")


def guarded_session() -> aiohttp.ClientSession:
    """Open a session whose every connection goes through the guard; it follows no proxy settings."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            socket_factory=loopback_socket, use_dns_cache=False, happy_eyeballs_delay=None
        ),
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={"Accept-Encoding": "gzip"},
    )
