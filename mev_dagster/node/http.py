"""JSON-RPC over HTTP, synchronous: one kept-alive connection, batches, a deadline per call, typed errors."""

import http.client
import json
import ssl
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from mev_dagster.chain.jsonrpc import quantity, transaction_to_rpc
from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import InputError, NodeAnswerError, NodeRateLimited, NodeUnreachable
from mev_dagster.node.envelope import refusal
from mev_dagster.settings import settings
from mev_dagster.units import MIB

_MAX_ANSWER_BYTES = 512 * MIB
_CALL_FIELDS = (
    "from",
    "to",
    "gas",
    "value",
    "input",
    "nonce",
    "accessList",
    "maxFeePerGas",
    "maxPriorityFeePerGas",
    "maxFeePerBlobGas",
    "blobVersionedHashes",
    "authorizationList",
)
_BATCH = 100  # nodes refuse longer batches; geth's default limit is 1000, hosted nodes' is often 100


class JsonRpc:
    """A node's HTTP endpoint. Not for sharing between threads: open one each.

    `requests`, `round_trips`, `bytes_sent` and `bytes_received` tell what a prestate has cost.
    """

    def __init__(
        self, url: str, *, timeout_seconds: float = 10.0, headers: Mapping[str, str] | None = None
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise InputError(f"a JSON-RPC endpoint starts with http:// or https://, got {_shown(url)}")
        self.shown_url = _shown(url)
        self.requests = 0
        self.round_trips = 0
        self.bytes_sent = 0
        self.bytes_received = 0
        self._timeout = timeout_seconds
        self._headers = {
            "Content-Type": "application/json",
            **basic_authorization(url),
            **settings().headers_for(url),
            **dict(headers or {}),
        }
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._connection: http.client.HTTPConnection | None = None
        self._next_id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; a later call opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        """Return one result; an error answer is `NodeAnswerError`."""
        return self.batch([(method, params)])[0]

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return the results in the order of the calls; any error answer fails the whole batch."""
        results = self.batch_settled(calls)
        for (method, _), result in zip(calls, results, strict=True):
            if isinstance(result, NodeAnswerError):
                raise type(result)(f"{self.shown_url}: {method}: {result}")
        return results

    def batch_settled(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return the results in order; where the node answered an error, the `NodeAnswerError` itself."""
        results: list[Any] = []
        for start in range(0, len(calls), _BATCH):
            results += self._exchange(calls[start : start + _BATCH])
        return results

    def _exchange(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        first_id = self._next_id
        self._next_id += len(calls)
        bodies = [
            {"jsonrpc": "2.0", "id": first_id + offset, "method": method, "params": list(params)}
            for offset, (method, params) in enumerate(calls)
        ]
        self.requests += len(calls)
        self.round_trips += 1
        answer = self._post(json.dumps(bodies if len(bodies) > 1 else bodies[0]).encode())
        answers = answer if isinstance(answer, list) else [answer]
        by_id = {item.get("id"): item for item in answers if isinstance(item, dict)}
        if len(bodies) > 1 and not isinstance(answer, list):
            raise NodeAnswerError(f"{self.shown_url}: expected a batch of {len(bodies)}, got {_cut(answer)}")
        return [self._settle(by_id.get(body["id"]), str(body["method"])) for body in bodies]

    def _settle(self, answer: Any, method: str) -> Any:
        if answer is None:
            raise NodeAnswerError(f"{self.shown_url}: {method}: no answer with the id that was asked")
        if answer.get("error") is not None:
            error = answer["error"]
            code, message = (
                (error.get("code"), error.get("message")) if isinstance(error, dict) else (None, error)
            )
            return refusal(code, message, "error ")
        if "result" not in answer:
            return NodeAnswerError(f"neither result nor error in {_cut(answer)}")
        return answer["result"]

    def _post(self, body: bytes) -> Any:
        deadline = time.monotonic() + self._timeout
        reused = self._connection is not None
        try:
            status, raw = self._send(body, deadline)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            # A kept-alive connection that the node closed meanwhile says nothing about the node: once more.
            if not reused or isinstance(error, TimeoutError):
                raise self._unreachable(error) from error
            try:
                status, raw = self._send(body, deadline)
            except (http.client.HTTPException, OSError) as again:
                self.close()
                raise self._unreachable(again) from again
        if status == http.client.TOO_MANY_REQUESTS:
            raise NodeRateLimited(f"{self.shown_url}: HTTP status {status}: {raw[:200]!r}")
        if status != http.client.OK:
            raise NodeAnswerError(f"{self.shown_url}: HTTP status {status}: {raw[:200]!r}")
        try:
            return json.loads(raw)
        except ValueError as error:
            raise NodeAnswerError(f"{self.shown_url}: not JSON: {raw[:200]!r}") from error

    def _send(self, body: bytes, deadline: float) -> tuple[int, bytes]:
        connection = self._connection or self._open()
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("deadline passed")
        connection.timeout = remaining
        if connection.sock is not None:
            connection.sock.settimeout(remaining)
        connection.request("POST", self._path, body, self._headers)
        self.bytes_sent += len(body)
        response = connection.getresponse()
        raw = self._read(response, connection, deadline)
        # A body read to its announced length leaves the response open, and the connection, finding it so,
        # would refuse the next answer after having sent the request: everything would be sent twice.
        response.close()
        self.bytes_received += len(raw)
        return response.status, raw

    def _read(
        self, response: http.client.HTTPResponse, connection: http.client.HTTPConnection, deadline: float
    ) -> bytes:
        """Read the whole body within the deadline; each piece alone may not restart it."""
        pieces, size = [], 0
        while piece := response.read1(1 << 16):
            size += len(piece)
            if size > _MAX_ANSWER_BYTES:
                raise http.client.HTTPException(f"answer is longer than {_MAX_ANSWER_BYTES} bytes")
            pieces.append(piece)
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError("deadline passed")
            if connection.sock is not None:
                connection.sock.settimeout(remaining)
        if response.length:
            raise http.client.IncompleteRead(b"".join(pieces), response.length)
        response.close()  # or the connection takes no further request
        return b"".join(pieces)

    def _open(self) -> http.client.HTTPConnection:
        if self._secure:
            self._connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout, context=ssl.create_default_context()
            )
        else:
            self._connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        return self._connection

    def _unreachable(self, error: Exception) -> NodeUnreachable:
        why = f"no answer within {self._timeout:g} s" if isinstance(error, TimeoutError) else str(error)
        return NodeUnreachable(f"{self.shown_url}: {why or type(error).__name__}")


def call_object(tx: Transaction, *, nonce: bool = True) -> dict[str, Any]:
    """Return a transaction as a call: unsigned, with every field that decides its outcome."""
    fields = transaction_to_rpc(tx)
    kept = {name: fields[name] for name in _CALL_FIELDS if fields.get(name) is not None}
    if tx.gas_price_wei is not None:
        kept["gasPrice"] = quantity(tx.gas_price_wei)
    if not nonce:
        del kept["nonce"]
    return kept


def basic_authorization(url: str) -> dict[str, str]:
    """Return the header for `user:password@` of an address (RFC 7617), none where it names nobody."""
    parts = urlsplit(url)
    if parts.username is None and parts.password is None:
        return {}
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def _shown(url: str) -> str:
    """Return a URL without what may be a secret: credentials, path and query of hosted nodes."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or '?'}{port}"


def _cut(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 200 else text[:200] + "..."
