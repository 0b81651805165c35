"""What the daemon tells over HTTP: /metrics, /healthz, /readyz, and /heads for whoever waits for a block."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mev_dagster.errors import PortInUse
from mev_dagster.telemetry.metrics import exposition

MAX_WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Head:
    """A canonical block that is durable in the log."""

    number: int
    hash: bytes
    seq: int


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
                await asyncio.wait_for(
                    self._changed.wait_for(lambda: self.newest is not None and self.newest.seq > seq),
                    timeout_seconds,
                )
        return self.newest if self.newest is not None and self.newest.seq > seq else None


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket, or raise `PortInUse` that names the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise PortInUse(f"cannot listen on {host}:{port}: {error.strerror}; set MEV_INGEST_PORT") from error
    return listener


def application(
    registry: CollectorRegistry,
    heads: Heads,
    health: Callable[[], dict[str, Any]],
    not_ready: Callable[[], list[str]],
) -> Starlette:
    """Build the app. `health` describes the daemon; `not_ready` names what keeps it from being ready."""

    async def metrics(_: Request) -> Response:
        body, content_type = exposition(registry)
        return Response(body, headers={"content-type": content_type})

    async def healthz(_: Request) -> Response:
        return JSONResponse({"ok": True, **health()})

    async def readyz(_: Request) -> Response:
        reasons = not_ready()
        return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    async def next_head(request: Request) -> Response:
        try:
            after = int(request.query_params.get("after_seq", "-1"))
            wait = min(float(request.query_params.get("wait", "0")), MAX_WAIT_SECONDS)
        except ValueError:
            return JSONResponse({"error": "after_seq and wait are numbers"}, 400)
        head = await heads.after(after, wait)
        if head is None:
            return JSONResponse({"head": None})
        return JSONResponse(
            {"head": {"number": head.number, "hash": "0x" + head.hash.hex(), "seq": head.seq}}
        )

    return Starlette(
        routes=[
            Route("/metrics", metrics),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/heads", next_head),
        ]
    )


class HttpServer(uvicorn.Server):
    """uvicorn inside the daemon's event loop; signals belong to the daemon."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                lifespan="off",
                http="h11",
                timeout_graceful_shutdown=1,  # whoever waits for a head may not hold up the end
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the process's signal handlers alone."""
        yield
