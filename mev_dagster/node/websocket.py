"""JSON-RPC over one raw WebSocket: requests by id, subscriptions by callback, stamps taken at the socket.

Raw websockets + msgspec costs 10-15 us of CPU per pending body where a full web3 client costs 250 and
more (reference figures in docs/performance.md), and the socket options below take the 40 ms that Nagle's
algorithm and delayed acknowledgements add to small messages.
"""

import asyncio
import itertools
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from mev_dagster.errors import InputError, NodeAnswerError, NodeUnreachable
from mev_dagster.telemetry.clock import Clock
from mev_dagster.telemetry.logging import public_address
from mev_dagster.units import MIB

MAX_MESSAGE_BYTES = 128 * MIB  # a mainnet txpool_content answer is tens of megabytes
OPEN_TIMEOUT_SECONDS = 10.0
CALL_TIMEOUT_SECONDS = 30.0
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
MAX_EARLY_NOTIFICATIONS = 4096  # kept while the answer that names their subscription is on its way

Notified = Callable[[msgspec.Raw, int, int], None]  # raw result, wall_ns, mono_ns


class RpcError(msgspec.Struct):
    """The `error` member of a JSON-RPC answer."""

    code: int
    message: str = ""


class Notification(msgspec.Struct):
    """The `params` member of an eth_subscription message."""

    subscription: str
    result: msgspec.Raw


class NodeMessage(msgspec.Struct):
    """Anything a node sends: an answer (`id`) or a notification (`params`)."""

    id: int | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: RpcError | None = None
    params: Notification | None = None


_decode_message = msgspec.json.Decoder(NodeMessage).decode


def check_websocket_url(url: str) -> str:
    """Return `url` when it is a ws:// or wss:// address, or say what is wrong with it."""
    parts = urlsplit(url)
    if parts.scheme not in {"ws", "wss"} or not parts.hostname:
        raise InputError(
            f"the rpc lane subscribes over WebSocket: expected ws://host:port, found {public_address(url)}"
        )
    return url


def _set_low_latency(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    quick_ack = getattr(socket, "TCP_QUICKACK", None)
    if quick_ack is not None:
        sock.setsockopt(socket.IPPROTO_TCP, quick_ack, 1)


class NodeConnection:
    """One open connection to a node. Every wait ends with an answer, `NodeUnreachable` or a timeout."""

    def __init__(self, websocket: ClientConnection, url: str, clock: Clock) -> None:
        self.address = public_address(url)
        self._websocket = websocket
        self._clock = clock
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._handlers: dict[str, Notified] = {}
        self._subscribing = 0
        self._early: deque[tuple[str, msgspec.Raw, int, int]] = deque(maxlen=MAX_EARLY_NOTIFICATIONS)
        self._closed: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read(), name=f"read {self.address}")

    @classmethod
    async def open(
        cls, url: str, clock: Clock, *, timeout_seconds: float = OPEN_TIMEOUT_SECONDS
    ) -> "NodeConnection":
        """Connect, or raise `NodeUnreachable` with one line that names the address and the cause."""
        check_websocket_url(url)
        address = public_address(url)
        try:
            websocket = await connect(
                url,
                max_size=MAX_MESSAGE_BYTES,
                compression=None,
                open_timeout=timeout_seconds,
                proxy=None if urlsplit(url).hostname in LOOPBACK else True,
            )
        except InvalidURI as error:
            raise InputError(f"{address} is no WebSocket address") from error
        except TimeoutError as error:
            raise NodeUnreachable(f"no answer from {address} within {timeout_seconds:g} s") from error
        except InvalidHandshake as error:
            raise NodeUnreachable(f"{address} answers, but not as a WebSocket: {error}") from error
        except OSError as error:
            raise NodeUnreachable(f"no answer from {address}: {_cause(error)}") from error
        return cls(websocket, url, clock)

    async def call(self, method: str, *params: Any, timeout_seconds: float = CALL_TIMEOUT_SECONDS) -> Any:
        """Return the result of one request as plain Python values."""
        return msgspec.json.decode(await self.call_raw(method, *params, timeout_seconds=timeout_seconds))

    async def call_raw(
        self, method: str, *params: Any, timeout_seconds: float = CALL_TIMEOUT_SECONDS
    ) -> msgspec.Raw:
        """Return the undecoded result of one request."""
        if self._closed.done():
            raise self._closed.result()
        request_id = next(self._ids)
        answer: asyncio.Future[msgspec.Raw] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = answer
        request = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
        try:
            await self._websocket.send(msgspec.json.encode(request).decode())
            # Not `wait_for`: in Python 3.11 it swallows a cancellation that meets the answer, and a lane
            # that is being stopped would go on for ever.
            async with asyncio.timeout(timeout_seconds):
                return await answer
        except ConnectionClosed as error:
            raise NodeUnreachable(f"{self.address} closed the connection during {method}") from error
        except TimeoutError as error:
            raise NodeUnreachable(
                f"{self.address} did not answer {method} within {timeout_seconds:g} s"
            ) from error
        except NodeAnswerError as error:
            raise NodeAnswerError(f"{self.address} refused {method}: {error}") from error
        finally:
            self._waiting.pop(request_id, None)

    async def call_all(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return the results of several requests sent at once, in their order."""
        return list(await asyncio.gather(*(self.call(method, *params) for method, params in requests)))

    async def subscribe(self, kind: str, *params: Any, notified: Notified) -> str:
        """Start an eth_subscribe subscription; `notified` runs for each message, in the reader task."""
        self._subscribing += 1
        try:
            subscription = await self.call("eth_subscribe", kind, *params)
            if not isinstance(subscription, str):
                raise NodeAnswerError(
                    f"{self.address} answered eth_subscribe {kind} with {subscription!r}, not an id"
                )
            self._handlers[subscription] = notified
            for owner, result, wall_ns, mono_ns in self._early:
                if owner == subscription:
                    notified(result, wall_ns, mono_ns)
            return subscription
        finally:
            self._subscribing -= 1
            if not self._subscribing:
                self._early.clear()

    async def wait_closed(self) -> Exception:
        """Wait until the connection is gone and return why."""
        return await asyncio.shield(self._closed)

    async def close(self) -> None:
        """Close the socket and end the reader."""
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        self._end(NodeUnreachable(f"the connection to {self.address} was closed here"))
        await self._websocket.close()

    async def _read(self) -> None:
        sock = self._websocket.transport.get_extra_info("socket")
        if sock is not None:
            _set_low_latency(sock)
        error: Exception
        try:
            while True:
                data = await self._websocket.recv(decode=False)
                wall_ns, mono_ns = self._clock.wall_ns(), self._clock.mono_ns()
                if sock is not None:
                    _set_low_latency(sock)  # Linux clears TCP_QUICKACK after use
                self._dispatch(data, wall_ns, mono_ns)
        except ConnectionClosed as closed:
            error = NodeUnreachable(f"lost {self.address}: {closed}")
        except msgspec.DecodeError as garbage:
            error = NodeUnreachable(f"lost {self.address}: it sent what is not JSON-RPC: {garbage}")
        except Exception as fault:  # a subscriber's: whoever waits on this connection must learn of it
            error = fault
        self._end(error)
        await self._websocket.close()

    def _dispatch(self, data: bytes, wall_ns: int, mono_ns: int) -> None:
        message = _decode_message(data)
        if message.params is not None:
            handler = self._handlers.get(message.params.subscription)
            if handler is not None:
                handler(message.params.result, wall_ns, mono_ns)
            elif self._subscribing:
                # A node may notify before the answer that names the subscription has been read.
                self._early.append(
                    (message.params.subscription, message.params.result.copy(), wall_ns, mono_ns)
                )
            return
        answer = self._waiting.get(message.id) if message.id is not None else None
        if answer is None or answer.done():
            return
        if message.error is not None:
            answer.set_exception(NodeAnswerError(f"{message.error.code} {message.error.message}".strip()))
        else:
            answer.set_result(message.result.copy())

    def _end(self, error: Exception) -> None:
        if not self._closed.done():
            self._closed.set_result(error)
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(error)


def _cause(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
