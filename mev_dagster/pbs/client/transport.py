"""HTTP to one relay, behind the guard: bounded answers, bounded time, typed errors."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import aiohttp

from mev_dagster.errors import DecodeError, NodeAnswerError, RelayRefused, RelayUnreachable
from mev_dagster.pbs import codec_json, wire
from mev_dagster.pbs.client.answers import message_of
from mev_dagster.pbs.client.guard import check_relay_url, guarded_session
from mev_dagster.units import MIB

MAX_ANSWER_BYTES = 4 * MIB
MAX_MESSAGE_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class RelayEndpoint:
    """One relay and how it likes its submissions."""

    url: str
    name: str = "sandbox"
    json: bool = False
    gzip: bool = False
    cancellations: bool = False
    connect_timeout_s: float = 0.15
    total_timeout_s: float = 15.0
    probe_timeout_s: float = 3.0


@dataclass(frozen=True, slots=True)
class RelayAnswer:
    """Status, body and headers of an answer."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def retry_after_s(self) -> float | None:
        """How long the relay asks to be left alone, where it says so in seconds."""
        try:
            seconds = float(self.headers["Retry-After"])
        except (KeyError, ValueError):
            return None
        return max(seconds, 0.0) if math.isfinite(seconds) else None


class RelayTransport:
    """A connection to one relay. Use as an async context manager."""

    def __init__(self, endpoint: RelayEndpoint) -> None:
        self.endpoint = endpoint
        self.base = check_relay_url(endpoint.url)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = guarded_session()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get_json(self, path: str, *, timeout_s: float | None = None, **parameters: str) -> Any:
        """Return a JSON answer with status 200; anything else is an error that names the path."""
        answer = await self.request("GET", path, timeout_s=timeout_s, params=parameters)
        if answer.status != 200:
            raise NodeAnswerError(self._said(path, answer))
        return self._decoded(path, answer)

    async def post_json(self, path: str, document: Any) -> Any:
        """Post a JSON document and return the JSON answer, None when it is empty."""
        body = codec_json.dumps(document)
        answer = await self.request("POST", path, data=body, headers={"Content-Type": wire.JSON_TYPE})
        if answer.status >= 300:
            raise NodeAnswerError(self._said(path, answer))
        return self._decoded(path, answer) if answer.body else None

    async def request(
        self, method: str, path: str, *, timeout_s: float | None = None, **arguments: Any
    ) -> RelayAnswer:
        """Send one request and return what came back, within `timeout_s` or the endpoint's own limit."""
        if self._session is None:
            raise RelayRefused("the relay client is closed")
        limit_s = self.endpoint.total_timeout_s if timeout_s is None else timeout_s
        if limit_s <= 0:
            raise RelayUnreachable(f"{self.base}{path}: no time is left")
        timeout = aiohttp.ClientTimeout(total=limit_s, connect=self.endpoint.connect_timeout_s)
        try:
            async with self._session.request(
                method, self.base + path, allow_redirects=False, timeout=timeout, **arguments
            ) as response:
                return RelayAnswer(
                    response.status, _inflated(response, await _limited(response)), response.headers
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RelayUnreachable(f"{self.base}{path}: {type(error).__name__}: {error}") from error

    def _decoded(self, path: str, answer: RelayAnswer) -> Any:
        try:
            return codec_json.loads(answer.body)
        except DecodeError as error:
            raise NodeAnswerError(f"{self.base}{path}: {error}") from error

    def _said(self, path: str, answer: RelayAnswer) -> str:
        return f"{self.base}{path}: {answer.status} {message_of(answer.body)[:MAX_MESSAGE_CHARACTERS]}"


def _inflated(response: aiohttp.ClientResponse, body: bytes) -> bytes:
    """Return the body as it was before a server or a proxy compressed it: by gzip, as we said it may."""
    encodings = [name.strip().lower() for name in response.headers.get("Content-Encoding", "").split(",")]
    for encoding in reversed([name for name in encodings if name not in {"", "identity"}]):
        if encoding not in wire.GZIP_NAMES:
            raise NodeAnswerError(
                f"{response.url}: an answer encoded as {encoding[:40]}, expected gzip or none"
            )
        if not body:
            break  # nothing was compressed
        try:
            body = wire.gunzip(body, MAX_ANSWER_BYTES)
        except DecodeError as error:
            raise NodeAnswerError(f"{response.url}: {error}") from error
    return body


async def _limited(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise NodeAnswerError(f"{response.url}: the answer is longer than {MAX_ANSWER_BYTES} bytes")
    return bytes(body)
