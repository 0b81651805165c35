"""The relay's HTTP application: the builder's submission, health, metrics, and the other APIs joined.

`/sandbox/v1` exists on no public relay: it tells which slot a block number belongs to, takes slots with
their states, and gives full receipts.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from mev_dagster.errors import DecodeError, MevError, Unreachable
from mev_dagster.pbs import wire
from mev_dagster.pbs.sandbox import data_api, page, proposer_api, sandbox_api
from mev_dagster.pbs.sandbox.answers import refusal
from mev_dagster.pbs.sandbox.bodies import Unreadable, is_json, read_body, response, unreadable
from mev_dagster.pbs.sandbox.relay import SandboxRelay
from mev_dagster.pbs.types import ConsensusFork, SubmitBlockRequest
from mev_dagster.telemetry.metrics import exposition
from mev_dagster.telemetry.tracing import context_from

TRY_AGAIN_LATER = 1013
"""The WebSocket close code of a server that takes no more listeners."""


def build_app(relay: SandboxRelay, *, ready: Callable[[], bool] = lambda: True) -> Starlette:
    """Return the ASGI application of a relay."""

    async def submit(request: Request) -> Response:
        started = time.perf_counter()
        submission, size = await _submission(request, relay)
        relay.metrics.payload_bytes.observe(size)
        receipt = await relay.submit(
            submission,
            cancellations=request.query_params.get("cancellations") == "1",
            parent=context_from(request.headers),
        )
        relay.metrics.latency_seconds.observe(time.perf_counter() - started)
        return response(receipt.answer)

    async def top_bids(socket: WebSocket) -> None:
        if relay.top_bids.full:
            await socket.close(TRY_AGAIN_LATER)
            return
        await socket.accept()
        sending = asyncio.create_task(_send_all(socket, relay))
        try:
            while (await socket.receive())["type"] != "websocket.disconnect":
                pass  # listeners have nothing to say
        finally:
            sending.cancel()

    async def alive(request: Request) -> Response:
        return JSONResponse({"message": "live"})

    async def is_ready(request: Request) -> Response:
        return JSONResponse({"message": "ready"}) if ready() else JSONResponse({"message": "starting"}, 503)

    async def metrics(request: Request) -> Response:
        body, content_type = exposition(relay.metrics.registry)
        return Response(body, media_type=content_type)

    async def bad_request(request: Request, error: Exception) -> Response:
        if isinstance(error, Unreadable):
            relay.metrics.answered.labels(str(error.answer.status), error.answer.code).inc()
            return response(error.answer)
        assert isinstance(error, MevError), "registered for this class only"
        status = 503 if isinstance(error, Unreachable) else 400
        return response(refusal(error.code, str(error), status))

    return Starlette(
        routes=[
            Route("/relay/v1/builder/blocks", submit, methods=["POST"]),
            *data_api.routes(relay),
            *proposer_api.routes(relay),
            *sandbox_api.routes(relay),
            *page.routes(relay),
            WebSocketRoute("/relay/v1/builder/top_bid", top_bids),
            Route("/livez", alive),
            Route("/readyz", is_ready),
            Route("/metrics", metrics),
        ],
        exception_handlers={MevError: bad_request},
    )


async def _send_all(socket: WebSocket, relay: SandboxRelay) -> None:
    with suppress(WebSocketDisconnect):
        async for frame in relay.top_bids.frames():
            await socket.send_bytes(frame)


async def _submission(request: Request, relay: SandboxRelay) -> tuple[SubmitBlockRequest, int]:
    """Decode the body as its headers announce it; without a version, content and slot tell the fork."""
    json = is_json(request)
    version = request.headers.get("eth-consensus-version", "").strip().lower()
    forks = {fork.version: fork for fork in ConsensusFork}
    if version and version not in forks:
        raise Unreadable(refusal("consensus_version", f"invalid consensus version: {version}"))
    body = await read_body(request)
    try:
        submission = wire.decode_submission(body, json=json, fork=forks.get(version))
    except DecodeError as error:
        raise unreadable(error) from error
    return (submission if version else await relay.with_fork_of_slot(submission)), len(body)
