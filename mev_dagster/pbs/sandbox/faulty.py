"""The relay's HTTP application behind a fault plan: the shell that carries out what the plan says."""

import asyncio
import json
import socket
import struct
from collections.abc import Callable

from mev_dagster.pbs.sandbox.answers import refusal
from mev_dagster.pbs.sandbox.faults import FaultKind, FaultPlan, FaultRule
from mev_dagster.serving.doors import App, Receive, Scope, Send
from mev_dagster.serving.protocol import TRANSPORT

RETRY_AFTER_SECONDS = b"1"
MS_PER_SECOND = 1_000
_MISSING_BYTES = 16
_RESET_AT_ONCE = struct.pack("ii", 1, 0)


class Faulty:
    """An ASGI application some of whose requests go wrong. `plan` is asked for anew with each request."""

    def __init__(self, app: App, plan: Callable[[], FaultPlan]) -> None:
        self._app, self._plan = app, plan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or go wrong as the plan says."""
        rule = self._plan().next(scope["path"]) if scope["type"] == "http" else None
        if rule is None:
            await self._app(scope, receive, send)
            return
        if rule.ms:
            await asyncio.sleep(rule.ms / MS_PER_SECOND)
        if rule.kind is FaultKind.LATENCY:
            await self._app(scope, receive, send)
        elif rule.kind is FaultKind.RESET:
            _reset(scope)
        elif rule.kind is FaultKind.TRUNCATED:
            await self._truncated(scope, receive, send)
        else:
            await _read_whole(receive)
            await _answer(rule, send)

    async def _truncated(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry the request out, announce more of an answer than there is, and close."""
        messages = []

        async def keep(message: dict[str, object]) -> None:
            messages.append(message)

        await self._app(scope, receive, keep)  # type: ignore[arg-type]
        body = b"".join(message.get("body", b"") for message in messages[1:])  # type: ignore[misc]
        headers = [(b"content-length", str(len(body) + _MISSING_BYTES).encode())]
        await send({"type": "http.response.start", "status": messages[0]["status"], "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": True})
        transport = scope.get("extensions", {}).get(TRANSPORT)
        if transport is not None:
            transport.close()


def _reset(scope: Scope) -> None:
    transport = scope.get("extensions", {}).get(TRANSPORT)
    if transport is None:
        return  # the server answers 500 to whoever answers nothing
    held: socket.socket | None = transport.get_extra_info("socket")
    if held is not None:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_ONCE)
    transport.abort()


async def _read_whole(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


async def _answer(rule: FaultRule, send: Send) -> None:
    status, headers, body = _said(rule)
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _said(rule: FaultRule) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    kind = [(b"content-type", b"application/json")]
    match rule.kind:
        case FaultKind.TOO_MANY:
            body = json.dumps({"code": 429, "message": "too many requests"}).encode()
            return 429, [*kind, (b"retry-after", RETRY_AFTER_SECONDS)], body
        case FaultKind.SERVER_ERROR:
            return rule.status, kind, json.dumps({"code": rule.status, "message": rule.text}).encode()
        case FaultKind.PLAIN_TEXT:
            return rule.status, [(b"content-type", b"text/plain")], rule.text.encode()
        case FaultKind.NOT_YET_KNOWN:
            return 400, kind, refusal("attributes_unknown", "payload attributes not (yet) known").body
        case FaultKind.DELIVERED:
            text = "payload for this slot was already delivered"
            return 400, kind, refusal("payload_delivered", text).body
        case _:
            return 200, kind, b""
