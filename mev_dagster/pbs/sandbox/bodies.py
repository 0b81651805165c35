"""Request bodies with limits: what cannot be read gets its answer here."""

import asyncio
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from mev_dagster.errors import DecodeError, MevError
from mev_dagster.pbs import codec_json, wire
from mev_dagster.pbs.sandbox.answers import SubmissionAnswer, refusal

READ_SECONDS = 10.0
"""How long a body may take to arrive."""


class Unreadable(MevError):
    """A request that gets an answer before anything in it is judged."""

    code = "unreadable_body"

    def __init__(self, answer: SubmissionAnswer) -> None:
        super().__init__(answer.message)
        self.answer = answer


async def read_body(request: Request, limit: int = wire.MAX_BODY_BYTES) -> bytes:
    """Read and inflate a body; one that is, or inflates to, more than `limit` bytes is not kept."""
    body = await _read(request, limit)
    encoding = request.headers.get("content-encoding", "identity").strip().lower() or "identity"
    if encoding == "identity":
        return body
    if encoding not in wire.GZIP_NAMES:
        raise Unreadable(refusal("content_encoding", f"unsupported content encoding: {encoding}", 415))
    try:
        return wire.gunzip(body, limit)
    except DecodeError as error:
        raise unreadable(error) from error


async def read_json(request: Request, limit: int = wire.MAX_BODY_BYTES) -> Any:
    """Read a body that says it is JSON, which a page of another site may not send without leave."""
    if not is_json(request):
        raise Unreadable(refusal("content_type", "expected application/json", 415))
    body = await read_body(request, limit)
    try:
        return codec_json.loads_unambiguous(body)
    except DecodeError as error:
        raise unreadable(error) from error


def is_json(request: Request) -> bool:
    """Say whether the body is announced as JSON or as SSZ; nothing else is read."""
    kind = request.headers.get("content-type", wire.JSON_TYPE).partition(";")[0].strip().lower()
    if kind not in {wire.JSON_TYPE, wire.SSZ_TYPE}:
        raise Unreadable(refusal("content_type", f"unsupported content type: {kind}", 415))
    return kind == wire.JSON_TYPE


def unreadable(error: DecodeError) -> Unreadable:
    """Return a decoder's complaint as an answer."""
    return Unreadable(refusal(error.reason, str(error), 413 if error.reason == "too_large" else 400))


def response(answer: SubmissionAnswer) -> Response:
    """Return an answer as an HTTP response."""
    kind = wire.JSON_TYPE if answer.body else None
    return Response(answer.body, status_code=answer.status, media_type=kind)


async def _read(request: Request, limit: int) -> bytes:
    announced = request.headers.get("content-length", "")
    too_large = refusal("too_large", f"http: request body too large, at most {limit} bytes", 413)
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > limit):
        raise Unreadable(too_large)
    body = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise Unreadable(too_large)
    except TimeoutError as error:
        raise Unreadable(refusal("read_timeout", "request timeout hit before the body ended", 408)) from error
    except ClientDisconnect as error:
        text = "read tcp: connection closed before the body ended"
        raise Unreadable(refusal("disconnected", text)) from error
    return bytes(body)
