"""The door in front of a service on loopback: rules over a request's head, and the ASGI shell that asks them.

A page in a browser can send requests to loopback, under a name of its own (DNS rebinding) or as a form that
needs no leave. So the Host must be one of ours, a request from another origin changes nothing, a GET changes
nothing, and what changes state shows the home's token where the service asks for one.
"""

import ipaddress
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mev_dagster.serving.token import shows

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

AT_ONCE = 512
READING = frozenset({"GET", "HEAD", "OPTIONS"})
_LOCAL_NAMES = frozenset({"localhost"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request does not come in: HTTP status, stable code, sentence."""

    status: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Door:
    """Who may come in.

    `hosts` are names besides loopback's own that the service is reached by. `token` is asked of every request
    that changes state under one of `guarded` paths; an empty string in `guarded` means every path.
    """

    hosts: frozenset[str] = frozenset()
    token: str | None = None
    guarded: tuple[str, ...] = ()

    def refusal(self, method: str, path: str, headers: Mapping[str, str]) -> Refusal | None:
        """Return why the request is refused, None where it may come in. Header names are lower case."""
        host = headers.get("host", "")
        if host and not self._knows(host):
            return Refusal(421, "wrong_host", f"{host} is no name of this service")
        if method in READING:
            return None
        origin = headers.get("origin")
        if origin is not None and not self._same_origin(origin, host):
            return Refusal(403, "foreign_origin", f"a page of {origin} may not change anything here")
        if origin is None and headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
            return Refusal(403, "foreign_origin", "a page of another site may not change anything here")
        asks = self.token is not None and path.startswith(self.guarded or ("\0",))
        if asks and not shows(headers.get("authorization", ""), self.token or ""):
            return Refusal(401, "no_token", "Authorization: Bearer with the token in the home's access.token")
        return None

    def refuses_socket(self, headers: Mapping[str, str]) -> Refusal | None:
        """Return why a WebSocket is refused: browsers open them to any address, with cookies and no leave."""
        host = headers.get("host", "")
        if host and not self._knows(host):
            return Refusal(421, "wrong_host", f"{host} is no name of this service")
        origin = headers.get("origin")
        if origin is not None and not self._same_origin(origin, host):
            return Refusal(403, "foreign_origin", f"a page of {origin} may not listen here")
        return None

    def _knows(self, host: str) -> bool:
        name = _name_of(host)
        return name in self.hosts or is_local(name)

    def _same_origin(self, origin: str, host: str) -> bool:
        """Say whether the page was served by this very service: name and port, or a configured name."""
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.netloc.lower() == host.lower() or (parts.hostname or "").rstrip(".") in self.hosts


def is_local(name: str) -> bool:
    """Say whether a host name can only mean this machine."""
    if name in _LOCAL_NAMES or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def hosts_of(*addresses: str | None) -> frozenset[str]:
    """Return the names of configured addresses, each a URL or a host; any address (0.0.0.0) names none."""
    names = (_name_of(urlsplit(one).netloc or one) for one in addresses if one)
    return frozenset(name for name in names if name and name not in {"0.0.0.0", "::"})  # noqa: S104


async def answer_refusal(send: Send, refusal: Refusal) -> None:
    """Answer an HTTP request with why it is refused."""
    body = json.dumps({"error": refusal.code, "detail": refusal.detail}).encode()
    headers: list[tuple[bytes, bytes]] = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Guarded:
    """An ASGI application behind a door. `refused` is told of each refusal's code, so that it can be counted.

    At most `at_once` requests are answered at a time; more are told to come again.
    """

    def __init__(
        self, app: App, door: Door, refused: Callable[[str], None] | None = None, at_once: int = AT_ONCE
    ) -> None:
        self._app, self._door, self._refused = app, door, refused
        self._at_once, self._answering = at_once, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or answer why not."""
        refusal = self._refusal(scope)
        if refusal is None and self._answering >= self._at_once:
            refusal = Refusal(503, "busy", f"{self._at_once} requests are being answered already")
        if refusal is None:
            self._answering += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._answering -= 1
            return
        if self._refused is not None:
            self._refused(refusal.code)
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.code})
            return
        await answer_refusal(send, refusal)

    def _refusal(self, scope: Scope) -> Refusal | None:
        if scope["type"] == "http":
            return self._door.refusal(scope["method"], scope["path"], headers_of(scope["headers"]))
        if scope["type"] == "websocket":
            return self._door.refuses_socket(headers_of(scope["headers"]))
        return None


def headers_of(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return a request's headers by their names in lower case."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in pairs}


def _name_of(host: str) -> str:
    """Return the name in a Host header, without its port, brackets, user and last dot."""
    try:
        return (urlsplit("//" + host).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""
