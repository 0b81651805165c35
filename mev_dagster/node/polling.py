"""A node that is only there over HTTP, made to look like one that notifies: the last resort of the RPC lane.

Heads are asked for every second and pending transactions by a filter twice a second; whoever refuses a
filter is asked for its pool, as any node without the subscription is.
"""

import asyncio
import itertools
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

from mev_dagster.errors import NodeAnswerError, NodeRateLimited, NodeTimeout, NodeUnreachable
from mev_dagster.node.envelope import UNREADABLE, plain, read_frame, refusal, shortened
from mev_dagster.node.http import basic_authorization
from mev_dagster.node.link import CALL_TIMEOUT_SECONDS, LOOPBACK, MAX_MESSAGE_BYTES, Ended, Notified
from mev_dagster.telemetry.clock import Clock
from mev_dagster.telemetry.logging import public_address

HEAD_SECONDS = 1.0
PENDING_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 12.0
MAX_REFUSALS = 8  # of a filter in a row, before the subscription counts as given up

_decode_many = msgspec.json.Decoder(list[msgspec.Raw]).decode


class PollingNode:
    """A node behind HTTP. It is open until a call finds nobody there."""

    def __init__(self, session: aiohttp.ClientSession, url: str, clock: Clock) -> None:
        self.address = public_address(url)
        self._session, self._clock = session, clock
        parts = urlsplit(url)
        self._url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        self._ids = itertools.count(1)
        self._polls: dict[str, asyncio.Task[None]] = {}
        self._closed: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(cls, url: str, clock: Clock, *, headers: Mapping[str, str] | None = None) -> "PollingNode":
        """Return the node; whether it is there shows at the first call."""
        session = aiohttp.ClientSession(
            headers={"Content-Type": "application/json", **basic_authorization(url), **dict(headers or {})},
            trust_env=urlsplit(url).hostname not in LOOPBACK,
        )
        return cls(session, url, clock)

    @property
    def is_open(self) -> bool:
        """Say whether the node was there at the last call."""
        return not self._closed.done()

    async def call(self, method: str, *params: Any, timeout_seconds: float = CALL_TIMEOUT_SECONDS) -> Any:
        """Return the result of one request as plain Python values."""
        raw = await self.call_raw(method, *params, timeout_seconds=timeout_seconds)
        return plain(raw, address=self.address, method=method)

    async def call_raw(
        self, method: str, *params: Any, timeout_seconds: float = CALL_TIMEOUT_SECONDS
    ) -> msgspec.Raw:
        """Return the undecoded result of one request."""
        request = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        try:
            async with (
                asyncio.timeout(timeout_seconds),
                # No redirect: it would carry the headers to somebody else.
                self._session.post(
                    self._url, data=msgspec.json.encode(request), allow_redirects=False
                ) as answer,
            ):
                status, patience = answer.status, answer.headers.get("Retry-After", "")
                body = await _limited(answer)
        except TimeoutError as error:
            raise NodeTimeout(
                f"{self.address} did not answer {method} within {timeout_seconds:g} s"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            lost = NodeUnreachable(f"no answer from {self.address}: {shortened(str(error))}")
            self._end(lost)
            raise lost from error
        if status == 429:
            limited = NodeRateLimited(f"{self.address} refused {method}: HTTP status 429")
            limited.retry_after_seconds = float(patience) if patience.isdigit() else None
            raise limited
        return self._result(method, status, body)

    def _result(self, method: str, status: int, body: bytes) -> msgspec.Raw:
        messages, _ = read_frame(body)
        if len(messages) != 1 or (status != 200 and messages[0].error is None):
            raise NodeAnswerError(f"{self.address} answered {method} with HTTP status {status} and no result")
        [message] = messages
        if message.error is not None:
            where = f"{self.address} refused {method}: "
            raise refusal(message.error.code, message.error.message, where)
        return message.result.copy()

    async def subscribe(self, kind: str, *params: Any, notified: Notified, ended: Ended | None = None) -> str:
        """Poll for what a subscription would tell; raises `NodeAnswerError` where there is no way to."""
        name = f"{kind} {next(self._ids)}"
        if kind == "newHeads":
            poll = self._poll_heads(notified)
        elif kind == "newPendingTransactions":
            created = await self.call("eth_newPendingTransactionFilter", *params)
            poll = self._poll_pending(created, params, notified, ended)
        else:
            raise NodeAnswerError(f"{self.address}: {kind} cannot be polled for")
        self._polls[name] = asyncio.create_task(poll, name=f"poll {self.address} {kind}")
        return name

    async def unsubscribe(self, subscription: str) -> None:
        """Stop polling; the node forgets the filter by itself."""
        task = self._polls.pop(subscription, None)
        if task is not None:
            task.cancel()

    async def wait_closed(self) -> Exception:
        """Wait until nobody is there any more and return why."""
        return await asyncio.shield(self._closed)

    async def close(self) -> None:
        """Stop polling and let the connections go."""
        for task in self._polls.values():
            task.cancel()
        await asyncio.gather(*self._polls.values(), return_exceptions=True)
        self._end(NodeUnreachable(f"the connection to {self.address} was closed here"))
        await self._session.close()

    async def _poll_heads(self, notified: Notified) -> None:
        newest, pause = b"", HEAD_SECONDS
        while self.is_open:
            await self._clock.sleep(pause)
            try:
                raw = await self.call_raw("eth_getBlockByNumber", "latest", False)
            except (NodeAnswerError, NodeTimeout) as error:
                pause = _longer(pause, error)
                continue
            except NodeUnreachable:
                return
            pause = HEAD_SECONDS
            if bytes(raw) not in (newest, b"null"):
                newest = bytes(raw)
                notified(raw, self._clock.wall_ns(), self._clock.mono_ns())

    async def _poll_pending(
        self, created: Any, params: tuple[Any, ...], notified: Notified, ended: Ended | None
    ) -> None:
        pause, refusals = PENDING_SECONDS, 0
        while self.is_open:
            await self._clock.sleep(pause)
            try:
                found = _decode_many(await self.call_raw("eth_getFilterChanges", created))
            except NodeTimeout as error:
                pause = _longer(pause, error)
            except NodeUnreachable:
                return
            except (NodeAnswerError, *UNREADABLE) as error:
                pause, refusals = _longer(pause, error), refusals + 1
                if refusals >= MAX_REFUSALS:
                    if ended is not None:
                        ended(NodeAnswerError(str(error)))
                    return
                if not isinstance(error, NodeRateLimited):
                    created = await self._filter_again(created, params)
            else:
                pause, refusals = PENDING_SECONDS, 0
                wall_ns, mono_ns = self._clock.wall_ns(), self._clock.mono_ns()
                for raw in found:
                    notified(raw, wall_ns, mono_ns)

    async def _filter_again(self, created: Any, params: tuple[Any, ...]) -> Any:
        """Ask for a new filter: nodes forget one that nobody asked for some minutes."""
        try:
            return await self.call("eth_newPendingTransactionFilter", *params)
        except (NodeAnswerError, NodeTimeout, NodeUnreachable):
            return created

    def _end(self, error: Exception) -> None:
        if not self._closed.done():
            self._closed.set_result(error)


async def _limited(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in answer.content.iter_chunked(1 << 16):
        body += piece
        if len(body) > MAX_MESSAGE_BYTES:
            raise aiohttp.ClientError(f"an answer of more than {MAX_MESSAGE_BYTES} bytes")
    return bytes(body)


def _longer(pause: float, error: Exception) -> float:
    asked = error.retry_after_seconds if isinstance(error, NodeRateLimited) else None
    return min(LONGEST_PAUSE_SECONDS, max(2 * pause, asked or 0.0))
