"""What the daemon tells over HTTP: a live page at / with its JSON at /status, /metrics, /healthz, /readyz,
report pages, and /heads to wait for blocks.

And what it is told, as JSON: POST /alerts takes Alertmanager's webhook; POST /log/seal and /log/prune ask the
log's only writer to seal the open segment and to let old ones go; POST /lanes/reload reads the lanes again.
The daemon stands behind a door (`mev_dagster.serving`) that asks the home's token of all but the first.
"""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from mev_dagster.errors import DecodeError, MevError
from mev_dagster.hexadecimal import to_hex
from mev_dagster.ingest.index_page import index_page
from mev_dagster.serving.doors import App
from mev_dagster.serving.protocol import DeadlineProtocol
from mev_dagster.telemetry.alerts import MAX_BODY_BYTES, Alert, parse_webhook
from mev_dagster.telemetry.metrics import exposition

MAX_WAIT_SECONDS = 60.0
MAX_NAMED = 16
"""Alerts whose fate an answer tells one by one."""
_PAGE_NAME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d)?")


@dataclass(frozen=True, slots=True)
class Head:
    """A canonical block that is durable in the log."""

    number: int
    hash: bytes
    seq: int


@dataclass(frozen=True, slots=True)
class DaemonCommands:
    """What the daemon does when it is told to; each returns what it did."""

    take_alerts: Callable[[list[Alert]], int]
    seal_log: Callable[[], Awaitable[dict[str, Any]]]
    prune_log: Callable[[int, bool], Awaitable[dict[str, Any]]]
    reload_lanes: Callable[[], Awaitable[dict[str, Any]]] | None = None


class Heads:
    """The newest logged head, and a place to wait for the next one."""

    def __init__(self) -> None:
        self.newest: Head | None = None
        self._changed = asyncio.Condition()

    async def announce(self, head: Head) -> None:
        """Make `head` the newest and wake whoever waits."""
        async with self._changed:
            self.newest = head
            self._changed.notify_all()

    async def after(self, seq: int, timeout_seconds: float) -> Head | None:
        """Return a head logged after event `seq`, waiting for one up to the timeout."""
        async with self._changed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_seconds):
                    await self._changed.wait_for(lambda: self.newest is not None and self.newest.seq > seq)
        return self.newest if self.newest is not None and self.newest.seq > seq else None


def application(
    registry: CollectorRegistry,
    heads: Heads,
    health: Callable[[], dict[str, Any]],
    not_ready: Callable[[], list[str]],
    commands: DaemonCommands | None = None,
    reports: Path | None = None,
    stopped: Callable[[], list[dict[str, Any]]] = list,
    more: Callable[[], dict[str, Any]] = dict,
) -> Starlette:
    """Build the app. `health` describes the daemon; `not_ready` names what keeps it from being ready.

    `stopped` names the stages behind it that stand still, which does not make the daemon less ready.

    `more` is what /status and the page at / show besides.

    `reports` is the folder whose pages are handed out; absent, none are.
    """
    told = [] if commands is None else _told(commands)

    async def index(_: Request) -> Response:
        return HTMLResponse(index_page(not_ready(), reports), headers={"Cache-Control": "no-store"})

    async def metrics(_: Request) -> Response:
        body, content_type = exposition(registry)
        return Response(body, headers={"content-type": content_type})

    async def healthz(_: Request) -> Response:
        return JSONResponse({"ok": True, **health()})

    async def readyz(_: Request) -> Response:
        reasons = not_ready()
        answer = {"ready": not reasons, "reasons": reasons, "stopped": stopped()}
        return JSONResponse(answer, 503 if reasons else 200)

    async def status(_: Request) -> Response:
        reasons = not_ready()
        return JSONResponse({"ready": not reasons, "reasons": reasons, **health(), **more()})

    async def next_head(request: Request) -> Response:
        try:
            after = int(request.query_params.get("after_seq", "-1"))
            wait = min(float(request.query_params.get("wait", "0")), MAX_WAIT_SECONDS)
        except ValueError:
            return JSONResponse({"error": "after_seq and wait are numbers"}, 400)
        head = await heads.after(after, wait)
        if head is None:
            return JSONResponse({"head": None})
        return JSONResponse({"head": {"number": head.number, "hash": to_hex(head.hash), "seq": head.seq}})

    return Starlette(
        routes=[
            Route("/", index),
            Route("/metrics", metrics),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/heads", next_head),
            Route("/status", status),
            *told,
            *([] if reports is None else [_pages(reports)]),
        ]
    )


def _pages(folder: Path) -> Route:
    """Return the route of the report pages: an hour's or a day's, by its name."""

    async def page(request: Request) -> Response:
        name = request.path_params["name"]
        path = folder / f"{name}.html"
        if not _PAGE_NAME.fullmatch(name) or not await asyncio.to_thread(path.is_file):
            return Response(
                f"No page {name!r} yet: it follows the hour's roll-up, or `mev report {name}`.", 404
            )
        return FileResponse(path)

    return Route("/reports/{name}.html", page)


def _told(commands: DaemonCommands) -> list[Route]:
    """Return the routes that make the daemon do something; each wants JSON, which no web page may send."""

    async def alerts(request: Request) -> Response:
        heard = parse_webhook(await _json_body(request))
        answer = {
            "alerts": len(heard.alerts),
            "new": commands.take_alerts(list(heard.alerts)),
            "ignored": heard.ignored[:MAX_NAMED],
        }
        if heard.refused:
            why = "; ".join(map(str, heard.refused[:MAX_NAMED]))
            return JSONResponse({"error": DecodeError.code, "detail": why, **answer}, 400)
        return JSONResponse(answer)

    async def seal(request: Request) -> Response:
        await _json_body(request)
        return JSONResponse(await commands.seal_log())

    async def reload(request: Request) -> Response:
        await _json_body(request)
        if commands.reload_lanes is None:
            return JSONResponse({"error": "bad_input", "detail": "lanes cannot be read again here"}, 503)
        return JSONResponse(await commands.reload_lanes())

    async def prune(request: Request) -> Response:
        try:
            asked = msgspec.json.decode(await _json_body(request), type=_Prune)
        except msgspec.DecodeError as error:
            raise DecodeError("bad_json", str(error)) from error
        return JSONResponse(await commands.prune_log(asked.before_wall_ns, asked.dry_run))

    return [
        Route(path, _answering(work), methods=["POST"])
        for path, work in (
            ("/alerts", alerts),
            ("/log/seal", seal),
            ("/log/prune", prune),
            ("/lanes/reload", reload),
        )
    ]


class _Prune(msgspec.Struct, forbid_unknown_fields=True):
    before_wall_ns: int
    dry_run: bool = False


def _answering(
    work: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """Answer typed errors with their code: 400 for what cannot be read, 503 for what cannot be done now."""

    async def answer(request: Request) -> Response:
        try:
            return await work(request)
        except MevError as error:
            status = 400 if isinstance(error, DecodeError) else 503
            return JSONResponse({"error": error.code, "detail": str(error)}, status)

    return answer


async def _json_body(request: Request) -> bytes:
    """Read a body of limited size that says it is JSON."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise DecodeError("bad_content_type", "expected application/json")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise DecodeError("too_large", f"at most {MAX_BODY_BYTES} bytes are read")
    return bytes(body)


GUARDED = ("/log/", "/lanes/")
"""Paths that change what is kept or run: only who can read the home's files may ask."""


class HttpServer(uvicorn.Server):
    """uvicorn inside the daemon's event loop; signals belong to the daemon."""

    def __init__(self, app: App) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                lifespan="off",
                http=DeadlineProtocol,
                timeout_graceful_shutdown=1,  # whoever waits for a head may not hold up the end
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the process's signal handlers alone."""
        yield
