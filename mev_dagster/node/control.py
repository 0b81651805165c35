"""Control calls to a node over HTTP, WebSocket or IPC: web3.py's providers, our deadline and errors.

Control calls are the few that say what a node is and how it is. Subscriptions and state, which are many,
go over `node/websocket.py` and `node/http.py`; docs/decisions/0017-web3-for-control-calls.md has the figures.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from mev_dagster.errors import InputError, NodeAnswerError, NodeUnreachable
from mev_dagster.telemetry.logging import public_address

CALL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """What a node says it is."""

    client_version: str
    chain_id: int
    head_number: int
    syncing: bool


class NodeControl:
    """One node's control interface, open inside `async with`."""

    def __init__(self, url: str, *, timeout_seconds: float = CALL_SECONDS) -> None:
        from web3 import AsyncWeb3

        self.shown_url = public_address(url) if "://" in url else url
        self._timeout = timeout_seconds
        self._provider, self._persists = _provider(url, timeout_seconds)
        self._manager = AsyncWeb3(self._provider, middleware=[]).manager  # answers as the node gave them

    async def __aenter__(self) -> Self:
        if self._persists:
            await self._told(self._provider.connect(), "connect")
        return self

    async def __aexit__(self, *_: object) -> None:
        from web3.exceptions import Web3Exception

        with suppress(Web3Exception):  # told already: a kept connection repeats at its end what it has raised
            await self._provider.disconnect()

    async def call(self, method: str, *params: Any) -> Any:
        """Return one result; an error answer is `NodeAnswerError`, silence `NodeUnreachable`."""
        from web3.types import RPCEndpoint

        ask = self._manager.socket_request if self._persists else self._manager.coro_request
        return await self._told(ask(RPCEndpoint(method), list(params)), method)

    async def identity(self) -> NodeIdentity:
        """Ask the node what it is and where its head stands."""
        version = await self.call("web3_clientVersion")
        chain_id, head = await self._number("eth_chainId"), await self._number("eth_blockNumber")
        return NodeIdentity(str(version), chain_id, head, await self.call("eth_syncing") is not False)

    async def _number(self, method: str) -> int:
        answer = await self.call(method)
        try:
            return int(answer, 16)
        except (TypeError, ValueError):
            raise NodeAnswerError(f"{self.shown_url}: {method}: no number in {answer!r}") from None

    async def _told(self, answer: Any, method: str) -> Any:
        from web3.exceptions import Web3Exception, Web3RPCError

        try:
            async with asyncio.timeout(self._timeout):
                return await answer
        except TimeoutError as error:
            raise NodeUnreachable(
                f"{self.shown_url}: {method}: no answer within {self._timeout:g} s"
            ) from error
        except Web3RPCError as error:
            raise NodeAnswerError(f"{self.shown_url}: {method}: {_refusal(error)}") from error
        except (Web3Exception, OSError, ValueError) as error:
            raise NodeUnreachable(f"{self.shown_url}: {method}: {type(error).__name__}") from error


async def identify(url: str, *, timeout_seconds: float = CALL_SECONDS) -> NodeIdentity:
    """Open a node's control interface, ask it what it is, and close it again."""
    async with NodeControl(url, timeout_seconds=timeout_seconds) as node:
        return await node.identity()


def _refusal(error: Any) -> str:
    """Return the node's own words out of web3.py's exception."""
    told = (error.rpc_response or {}).get("error")
    return f"error {told.get('code')}: {told.get('message')}" if isinstance(told, dict) else str(error)


def _provider(url: str, timeout_seconds: float) -> tuple[Any, bool]:
    """Return web3.py's provider for an address, and whether it keeps a connection."""
    # Loaded when a node is spoken to: the import takes longer than most commands do.
    from web3.providers import AsyncHTTPProvider, AsyncIPCProvider, WebSocketProvider

    scheme = urlsplit(url).scheme
    if scheme in {"http", "https"}:
        # No retries of its own: whoever calls has a policy and a deadline.
        return AsyncHTTPProvider(url, exception_retry_configuration=None), False
    if scheme in {"ws", "wss"}:
        return WebSocketProvider(url, request_timeout=timeout_seconds, max_connection_retries=1), True
    if not scheme:
        if not Path(url).is_socket():
            raise NodeUnreachable(f"{url}: no IPC socket there")
        return AsyncIPCProvider(url, request_timeout=timeout_seconds, max_connection_retries=1), True
    raise InputError(f"a node is at http://, ws:// or the path of an IPC socket, found {public_address(url)}")
