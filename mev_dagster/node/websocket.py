"""JSON-RPC over one raw WebSocket or IPC socket: requests by id, subscriptions by callback, stamps at once.

Raw websockets + msgspec costs 10-15 us of CPU per pending body where a full web3 client costs 250 and
more (reference figures in docs/performance.md), and the socket options below take the 40 ms that Nagle's
algorithm and delayed acknowledgements add to small messages.
"""

import asyncio
import itertools
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from mev_dagster.errors import InputError, NodeAnswerError, NodeTimeout, NodeUnreachable
from mev_dagster.node.envelope import NodeMessage, Notification, plain, read_frame, refusal, shortened
from mev_dagster.node.ipc import IpcSocket
from mev_dagster.node.link import (
    CALL_TIMEOUT_SECONDS,
    LOOPBACK,
    MAX_MESSAGE_BYTES,
    Ended,
    Notified,
    is_socket_path,
)
from mev_dagster.telemetry.clock import Clock
from mev_dagster.telemetry.logging import public_address
from mev_dagster.units import MIB

OPEN_TIMEOUT_SECONDS = 10.0
UNSUBSCRIBE_SECONDS = 2.0
MAX_EARLY_NOTIFICATIONS = 4096  # kept while the answer that names their subscription is on its way
MAX_EARLY_BYTES = 8 * MIB

MAX_UNREADABLE_IN_A_ROW = 256  # a heartbeat is no fault; whoever sends nothing else is no node


def _set_low_latency(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    quick_ack = getattr(socket, "TCP_QUICKACK", None)
    if quick_ack is not None:
        sock.setsockopt(socket.IPPROTO_TCP, quick_ack, 1)


class NodeConnection:
    """One open connection to a node. Every wait ends with an answer, `NodeUnreachable` or a timeout."""

    def __init__(self, websocket: ClientConnection | IpcSocket, url: str, clock: Clock) -> None:
        self.address = url if is_socket_path(url) else public_address(url)
        self._websocket = websocket
        self._clock = clock
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self.unreadable = 0  # frames, or pieces of one, that were no JSON-RPC
        self._unreadable_in_a_row = 0
        self._handlers: dict[str, tuple[Notified, Ended | None]] = {}
        self._subscribing = 0
        self._early: deque[tuple[Notification, int, int]] = deque()
        self._early_bytes = 0
        self._closed: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read(), name=f"read {self.address}")

    @property
    def is_open(self) -> bool:
        """Say whether the connection still stands."""
        return not self._closed.done()

    @classmethod
    async def open(
        cls,
        url: str,
        clock: Clock,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = OPEN_TIMEOUT_SECONDS,
    ) -> "NodeConnection":
        """Connect, or raise `NodeUnreachable` with one line that names the address and the cause."""
        address = url if is_socket_path(url) else public_address(url)
        websocket: ClientConnection | IpcSocket
        try:
            if is_socket_path(url):
                websocket = await IpcSocket.open(
                    url, limit_bytes=MAX_MESSAGE_BYTES, timeout_seconds=timeout_seconds
                )
                return cls(websocket, url, clock)
            websocket = await connect(
                url,
                max_size=MAX_MESSAGE_BYTES,
                compression=None,
                additional_headers=dict(headers or {}),
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
        raw = await self.call_raw(method, *params, timeout_seconds=timeout_seconds)
        return plain(raw, address=self.address, method=method)

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
            raise NodeTimeout(
                f"{self.address} did not answer {method} within {timeout_seconds:g} s"
            ) from error
        except NodeAnswerError as error:
            raise type(error)(f"{self.address} refused {method}: {error}") from error
        finally:
            self._waiting.pop(request_id, None)

    async def call_all(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return the results of several requests sent at once, in their order."""
        return list(await asyncio.gather(*(self.call(method, *params) for method, params in requests)))

    async def subscribe(self, kind: str, *params: Any, notified: Notified, ended: Ended | None = None) -> str:
        """Start an eth_subscribe subscription; `notified` runs for each message, in the reader task.

        `ended` runs when the node gives the subscription up (geth: a reader too slow for its buffer). Without
        it the connection ends.
        """
        self._subscribing += 1
        try:
            subscription = await self.call("eth_subscribe", kind, *params)
            if isinstance(subscription, int) and not isinstance(subscription, bool):
                subscription = str(subscription)
            if not isinstance(subscription, str):
                said = shortened(repr(subscription))
                raise NodeAnswerError(f"{self.address} answered eth_subscribe {kind} with {said}, not an id")
            self._handlers[subscription] = notified, ended
            for notification, wall_ns, mono_ns in list(self._early):
                if notification.subscription == subscription:
                    self._notify(notification, wall_ns, mono_ns)
            return subscription
        finally:
            self._subscribing -= 1
            if not self._subscribing:
                self._early.clear()
                self._early_bytes = 0

    async def unsubscribe(self, subscription: str) -> None:
        """Let go of a subscription; what the node says to that does not matter."""
        self._handlers.pop(subscription, None)
        with suppress(NodeAnswerError, NodeTimeout):
            await self.call("eth_unsubscribe", subscription, timeout_seconds=UNSUBSCRIBE_SECONDS)

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
        transport = self._websocket.transport
        sock = None if transport is None else transport.get_extra_info("socket")
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
                if self._unreadable_in_a_row >= MAX_UNREADABLE_IN_A_ROW:
                    raise NodeUnreachable(f"lost {self.address}: it sends what is not JSON-RPC")
        except ConnectionClosed as closed:
            error = NodeUnreachable(f"lost {self.address}: {closed}")
        except NodeUnreachable as refused:
            error = NodeUnreachable(f"lost {self.address}: {refused}")
        except Exception as fault:  # a subscriber's: whoever waits on this connection must learn of it
            error = fault
        self._end(error)
        await self._websocket.close()

    def _dispatch(self, data: bytes, wall_ns: int, mono_ns: int) -> None:
        messages, unreadable = read_frame(data)
        self.unreadable += unreadable
        self._unreadable_in_a_row = 0 if messages else self._unreadable_in_a_row + 1
        for message in messages:
            if message.params is not None:
                self._notify(message.params, wall_ns, mono_ns)
            else:
                self._answer(message)

    def _notify(self, notification: Notification, wall_ns: int, mono_ns: int) -> None:
        handlers = self._handlers.get(notification.subscription)
        if handlers is None:
            if self._subscribing:
                # A node may notify before the answer that names the subscription has been read.
                self._keep_early(notification, wall_ns, mono_ns)
            return
        notified, ended = handlers
        if notification.error is None:
            notified(notification.result, wall_ns, mono_ns)
            return
        del self._handlers[notification.subscription]
        error = refusal(
            notification.error.code, notification.error.message, f"{self.address}: subscription: "
        )
        if ended is None:
            raise NodeUnreachable(f"lost {self.address}: {error}")
        ended(error)

    def _keep_early(self, notification: Notification, wall_ns: int, mono_ns: int) -> None:
        notification.result = notification.result.copy()
        self._early.append((notification, wall_ns, mono_ns))
        self._early_bytes += len(memoryview(notification.result))
        while self._early_bytes > MAX_EARLY_BYTES or len(self._early) > MAX_EARLY_NOTIFICATIONS:
            self._early_bytes -= len(memoryview(self._early.popleft()[0].result))

    def _answer(self, message: NodeMessage) -> None:
        answer = self._waiting.get(message.id) if message.id is not None else None
        if answer is None or answer.done():
            return
        if message.error is not None:
            answer.set_exception(refusal(message.error.code, message.error.message))
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
