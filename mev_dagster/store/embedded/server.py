"""The embedded store server: one process owns chDB and speaks ClickHouse's HTTP interface on loopback.

Everything else (daemon, Dagster runs, UI, notebooks) uses clickhouse-connect unchanged, as against a
ClickHouse server. Every request carries the token of `home/store.json`, which only this user can read.
"""

import asyncio
import contextlib
import hmac
import os
import secrets
import shutil
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from mev_dagster.errors import DecodeError, StoreError
from mev_dagster.serving.doors import Door, Guarded, hosts_of
from mev_dagster.serving.listen import bind
from mev_dagster.serving.protocol import DeadlineProtocol
from mev_dagster.settings import Settings
from mev_dagster.store.client import Store
from mev_dagster.store.embedded.engine import Engine, StatementResult
from mev_dagster.store.embedded.frames import CompressedReader
from mev_dagster.store.embedded.http_protocol import (
    EXCEPTION_CODE_HEADER,
    EXCEPTION_TAG_HEADER,
    Call,
    Code,
    QueryError,
    credentials,
    insert_head,
    late_error,
    parse_call,
    parse_form,
    summary,
)
from mev_dagster.store.endpoint import (
    Advertisement,
    EngineLock,
    advertisement_path,
    connect_in_process,
    write_advertisement,
)
from mev_dagster.units import GIB, MIB

_Result = TypeVar("_Result")
_HEAD_BYTES = 64 * 1024
_KEEP_ALIVE_SECONDS = 300  # a client must not find its idle connection closed under an insert
_DONE = object()


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What one request, and all of them together, may ask of the server."""

    statement_bytes: int = 16 * MIB
    insert_bytes: int = 2 * GIB
    header_bytes: int = 256 * 1024
    running: int = 8
    waiting: int = 256
    silent_seconds: float = 60.0


class StoreServer:
    """The HTTP application over one engine."""

    def __init__(
        self, engine: Engine, *, user: str, token: str, spool: Path, limits: RequestLimits | None = None
    ):
        self._engine = engine
        self._user = user
        self._token = token
        self._spool = spool
        self._limits = limits or RequestLimits()
        self._threads = ThreadPoolExecutor(self._limits.running, thread_name_prefix="store")
        self._admitted = 0
        self.app = Starlette(
            routes=[
                Route("/ping", self._ping, methods=["GET", "HEAD"]),
                Route("/", self._query, methods=["GET", "POST"]),
            ]
        )

    async def _ping(self, _: Request) -> Response:
        return PlainTextResponse("Ok.\n")

    async def _query(self, request: Request) -> Response:
        query_id = request.query_params.get("query_id") or str(uuid4())
        body = _Body(request, self._limits)
        try:
            self._authenticate(request)
            if self._admitted >= self._limits.running + self._limits.waiting:
                raise QueryError(Code.TOO_MANY_SIMULTANEOUS_QUERIES, "Too many simultaneous queries")
            self._admitted += 1
            try:
                answer = await self._answer(request, body)
            finally:
                self._admitted -= 1
        except QueryError as error:
            await body.discard()
            return PlainTextResponse(
                error.body(self._engine.version) + "\n",
                error.http_status,
                self._headers(query_id) | {EXCEPTION_CODE_HEADER: str(error.code)},
            )
        except ClientDisconnect:
            return Response(status_code=400)
        tag = secrets.token_hex(8)
        headers = self._headers(query_id) | {
            "X-ClickHouse-Summary": summary(
                answer.read_rows,
                answer.read_bytes,
                answer.written_rows,
                answer.written_bytes,
                answer.elapsed_ns,
            ),
            EXCEPTION_TAG_HEADER: tag,
        }
        if answer.format is not None:
            headers["X-ClickHouse-Format"] = answer.format
        return StreamingResponse(self._stream(answer, tag), 200, headers, "application/octet-stream")

    async def _answer(self, request: Request, body: "_Body") -> StatementResult:
        parameters = list(request.query_params.multi_items())
        encoding = request.headers.get("content-encoding", "")
        content_type = request.headers.get("content-type", "")
        read_only = request.method == "GET"
        if content_type.startswith("multipart/form-data"):
            form = parse_form(content_type, await body.read_all(encoding))
            call = parse_call(parameters + form, read_only=read_only)
            return await self._in_thread(self._engine.execute, call, call.sql)
        call = parse_call(parameters, read_only=read_only)
        head = insert_head(call.sql)
        if head is not None:
            async with self._spooled(body.pieces(encoding)) as path:
                return await self._in_thread(self._engine.insert, call, head, path)
        return await self._body_statement(call, body.pieces(encoding))

    async def _body_statement(self, call: Call, pieces: AsyncIterator[bytes]) -> StatementResult:
        """Run a statement that stands in the body, with its rows behind it when it is an INSERT."""
        start = call.sql.encode() + (b"\n" if call.sql else b"")
        prefix = len(start)
        async for piece in pieces:
            start += piece
            if len(start) >= _HEAD_BYTES:
                break
        # Every byte is a character in latin-1, so positions in the text are positions in the body.
        head = insert_head(start[:_HEAD_BYTES].decode("latin-1"))
        if head is not None and not prefix:
            rows = start[head.length :]
            async with self._spooled(pieces, rows) as path:
                return await self._in_thread(self._engine.insert, call, head, path)
        async for piece in pieces:
            start += piece
            if len(start) > self._limits.statement_bytes:
                break
        if len(start) > self._limits.statement_bytes:
            raise _too_long(self._limits)
        try:
            sql = start.decode()
        except UnicodeDecodeError as error:
            raise QueryError(Code.SYNTAX_ERROR, f"The statement is not UTF-8: {error}") from None
        if not sql.strip():
            raise QueryError(Code.SYNTAX_ERROR, "Empty query")
        return await self._in_thread(self._engine.execute, call, sql)

    @contextlib.asynccontextmanager
    async def _spooled(self, pieces: AsyncIterator[bytes], start: bytes = b"") -> AsyncIterator[Path]:
        """Write a whole body to a file of its own for as long as the insert runs."""
        path = self._spool / f"{uuid4()}.rows"
        try:
            await self._write(path, pieces, start)
            yield path
        finally:
            path.unlink(missing_ok=True)

    async def _write(self, path: Path, pieces: AsyncIterator[bytes], start: bytes) -> None:
        try:
            with path.open("xb", buffering=MIB) as file:
                file.write(start)
                async for piece in pieces:
                    file.write(piece)
        except OSError as error:
            raise QueryError(Code.LIMIT_EXCEEDED, f"Cannot spool the rows: {error.strerror}") from error

    async def _stream(self, answer: StatementResult, tag: str) -> AsyncIterator[bytes]:
        try:
            while True:
                try:
                    piece = await self._in_thread(next, answer.pieces, _DONE)
                except QueryError as error:
                    yield late_error(tag, error.body(self._engine.version))
                    return
                if piece is _DONE:
                    return
                yield piece
        finally:
            answer.pieces.close()

    async def _in_thread(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def _authenticate(self, request: Request) -> None:
        found = credentials(request.headers, request.query_params)
        if found is None:
            raise QueryError(Code.REQUIRED_PASSWORD, "Authentication is required: user and token")
        user, secret = found
        known = user in {"", self._user}
        if not (hmac.compare_digest(secret.encode(), self._token.encode()) and known):
            raise QueryError(
                Code.AUTHENTICATION_FAILED, f"{user or 'token'}: Authentication failed: wrong user or token"
            )

    def _headers(self, query_id: str) -> dict[str, str]:
        return {
            "X-ClickHouse-Query-Id": query_id,
            "X-ClickHouse-Timezone": self._engine.timezone,
            "X-ClickHouse-Server-Display-Name": "mev_dagster embedded store",
        }

    def close(self) -> None:
        """Wait for running statements."""
        self._threads.shutdown()


class _Body:
    """The body of one request: decompressed, bounded, and never silent for too long."""

    def __init__(self, request: Request, limits: RequestLimits):
        self._limits = limits
        self._stream = request.stream()
        self._size = 0

    async def pieces(self, encoding: str) -> AsyncIterator[bytes]:
        """Yield the decompressed body."""
        try:
            frames = CompressedReader(encoding)
            async for chunk in self._chunks():
                for piece in frames.feed(chunk):
                    self._size += len(piece)
                    if self._size > self._limits.insert_bytes:
                        raise QueryError(
                            Code.TOO_MANY_BYTES,
                            f"The body is larger than {self._limits.insert_bytes} bytes",
                        )
                    yield piece
            frames.finish()
        except DecodeError as error:
            raise QueryError(Code.CANNOT_DECOMPRESS, f"Cannot decompress the body: {error}") from None

    async def read_all(self, encoding: str) -> bytes:
        """Return the whole body of a statement."""
        parts = []
        async for piece in self.pieces(encoding):
            parts.append(piece)
            if self._size > self._limits.statement_bytes:
                raise _too_long(self._limits)
        return b"".join(parts)

    async def discard(self) -> None:
        """Read a refused body to its end within the limit, so that the client gets to the answer."""
        size = 0
        with contextlib.suppress(QueryError, ClientDisconnect, RuntimeError):
            async for chunk in self._chunks():
                size += len(chunk)
                if size > self._limits.statement_bytes:
                    return

    async def _chunks(self) -> AsyncIterator[bytes]:
        while True:
            try:
                async with asyncio.timeout(self._limits.silent_seconds):
                    chunk = await anext(self._stream, None)
            except TimeoutError:
                raise QueryError(Code.TIMEOUT_EXCEEDED, "The client stopped sending") from None
            if chunk is None:
                return
            if chunk:
                yield chunk


def _too_long(limits: RequestLimits) -> QueryError:
    return QueryError(Code.TOO_MANY_BYTES, f"The statement is longer than {limits.statement_bytes} bytes")


def serve(
    settings: Settings,
    *,
    limits: RequestLimits | None = None,
    ready: Callable[[Advertisement], None] | None = None,
) -> None:
    """Own the engine and serve it until the process is told to stop; advertises itself when ready."""
    limits = limits or RequestLimits()
    listener = bind("store", settings.host, settings.store.port, "MEV_STORE_PORT")
    lock = EngineLock(settings)
    if not lock.acquire():
        listener.close()
        raise StoreError(f"{settings.store_dir} is in use by {lock.owner()}")
    stop = _stop_asked()
    spool = settings.home / "store.spool"
    shutil.rmtree(spool, ignore_errors=True)  # what a killed server left was never acknowledged
    spool.mkdir(parents=True)
    token = _token(settings)
    engine = Engine(settings.store_dir)
    server = StoreServer(engine, user="default", token=token, spool=spool, limits=limits)
    try:
        engine.warm_up()
        Store(connect_in_process(settings), settings).migrate()
        host, port = listener.getsockname()[:2]
        advertisement = Advertisement(url=f"http://{host}:{port}", token=token, pid=os.getpid())
        config = uvicorn.Config(
            Guarded(server.app, Door(hosts_of(settings.host))),
            http=DeadlineProtocol,
            h11_max_incomplete_event_size=limits.header_bytes,
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )
        asyncio.run(_serve(uvicorn.Server(config), listener, settings, advertisement, ready, stop))
    finally:
        server.close()
        engine.close()
        lock.release()
        advertisement_path(settings).unlink(missing_ok=True)


def _token(settings: Settings) -> str:
    """Return the token of this home, made once, so that clients outlive a restart of the server."""
    path = settings.home / "store.token"
    with contextlib.suppress(FileNotFoundError):
        return path.read_text()
    token = secrets.token_urlsafe(32)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token)
    return token


def _stop_asked() -> threading.Event:
    """Let SIGTERM and SIGINT stop uvicorn's loop, but not kill the process before the engine is closed.

    Returns what is set once one came: uvicorn has handlers of its own while it serves, and raises the signal
    again after its loop; one that comes while the engine starts is kept here until there is a loop to end.
    """
    asked = threading.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: asked.set())
    return asked


async def _serve(
    server: uvicorn.Server,
    listener: socket.socket,
    settings: Settings,
    advertisement: Advertisement,
    ready: Callable[[Advertisement], None] | None,
    stop: threading.Event,
) -> None:
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
        server.should_exit |= stop.is_set()
    if server.started and not server.should_exit:
        write_advertisement(settings, advertisement)
        if ready is not None:
            ready(advertisement)
    await serving
