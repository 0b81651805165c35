"""What the RPC lane asks of a connection to a node, whatever carries it."""

from collections.abc import Callable
from pathlib import PurePath
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec

from mev_dagster.errors import InputError, NodeAnswerError
from mev_dagster.telemetry.logging import public_address
from mev_dagster.units import MIB

MAX_MESSAGE_BYTES = 128 * MIB  # a mainnet txpool_content answer is tens of megabytes
CALL_TIMEOUT_SECONDS = 30.0
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
SCHEMES = frozenset({"ws", "wss", "http", "https"})

Notified = Callable[[msgspec.Raw, int, int], None]  # raw result, wall_ns, mono_ns
Ended = Callable[[NodeAnswerError], None]  # a subscription that the node gave up


class NodeLink(Protocol):
    """One open connection to a node. Every wait ends with an answer, `NodeUnreachable` or a timeout."""

    address: str

    async def call(self, method: str, *params: Any, timeout_seconds: float = ...) -> Any:
        """Return the result of one request as plain Python values."""
        ...

    async def call_raw(self, method: str, *params: Any, timeout_seconds: float = ...) -> msgspec.Raw:
        """Return the undecoded result of one request."""
        ...

    async def subscribe(self, kind: str, *params: Any, notified: Notified, ended: Ended | None = None) -> str:
        """Have `notified` called for each message; return what `unsubscribe` takes."""
        ...

    async def unsubscribe(self, subscription: str) -> None:
        """Let go of a subscription."""
        ...

    async def wait_closed(self) -> Exception:
        """Wait until the connection is gone and return why."""
        ...

    async def close(self) -> None:
        """Let the connection go."""
        ...


def is_socket_path(url: str) -> bool:
    """Say whether an address is the path of an IPC socket."""
    return "://" not in url and ("/" in url or url.endswith(".ipc"))


def check_node_url(url: str) -> str:
    """Return the address of a node that can be followed, or say what is wrong with it."""
    parts = urlsplit(url)
    if not is_socket_path(url) and (parts.scheme not in SCHEMES or not parts.hostname):
        raise InputError(
            "the rpc lane follows a node at ws://, http:// or the path of an IPC socket: "
            f"expected ws://host:port, found {public_address(url)}"
        )
    return url


def node_name(url: str) -> str:
    """Return what a node's events and rows are called by: host and port, or the socket's file."""
    return PurePath(url).name if is_socket_path(url) else urlsplit(url).netloc.rpartition("@")[2]
