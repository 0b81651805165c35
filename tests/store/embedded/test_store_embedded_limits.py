"""What one request, and all of them together, may ask of the server; asked of the application itself."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mev_dagster.store.client import Store
from mev_dagster.store.embedded.engine import Engine
from mev_dagster.store.embedded.server import RequestLimits, StoreServer

LIMITS = RequestLimits(statement_bytes=1_000, insert_bytes=10_000, running=1, waiting=0, silent_seconds=0.2)


@pytest.fixture
def server(local_store: Store, tmp_path: Path) -> Iterator[StoreServer]:
    engine = Engine(local_store.settings.store_dir)
    serving = StoreServer(engine, user="default", token="token", spool=tmp_path, limits=LIMITS)
    yield serving
    serving.close()
    engine.close()


async def ask(server: StoreServer, body: AsyncIterator[bytes], query: bytes = b"") -> tuple[int, str]:
    """Send one request to the application and return the status and text of its answer."""
    answer: list[dict] = []
    messages = ({"type": "http.request", "body": chunk, "more_body": True} async for chunk in body)
    end = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict:
        message = await anext(messages, None) or next(end, None)
        if message is None:
            await asyncio.Event().wait()  # the client stays connected
        return message

    async def send(message: dict) -> None:
        answer.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": query,
        "headers": [(b"authorization", b"Bearer token")],
    }
    await server.app(scope, receive, send)
    return answer[0]["status"], b"".join(part.get("body", b"") for part in answer).decode()


async def sent(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def stalled(first: bytes) -> AsyncIterator[bytes]:
    yield first
    await asyncio.Event().wait()


async def test_a_request_within_the_limits_is_answered(server: StoreServer):
    assert await ask(server, sent(b"SELECT ", b"1")) == (200, "1\n")


async def test_a_long_statement_is_refused(server: StoreServer):
    status, text = await ask(server, sent(b"SELECT '", b"x" * 1_000, b"'"))
    assert (status, text.partition(".")[0]) == (413, "Code: 307")


async def test_an_insert_that_grows_past_its_limit_is_refused_and_leaves_no_file(
    server: StoreServer, tmp_path: Path
):
    rows = sent(b"INSERT INTO mev.pools FORMAT CSV\n", *[b"x" * 1_000] * 11)
    status, text = await ask(server, rows)
    assert (status, text.partition(".")[0]) == (413, "Code: 307")
    assert not list(tmp_path.iterdir())


async def test_a_client_that_falls_silent_is_let_go(server: StoreServer):
    status, text = await ask(server, stalled(b"SELECT"))
    assert (status, text.partition(".")[0]) == (408, "Code: 159")


async def test_more_requests_than_may_wait_are_refused_until_one_is_done(server: StoreServer):
    first = asyncio.create_task(ask(server, stalled(b"SELECT")))
    await asyncio.sleep(0)
    status, text = await ask(server, sent(b"SELECT 1"))
    assert (status, text.partition(".")[0]) == (503, "Code: 202")
    await first
    assert (await ask(server, sent(b"SELECT 1")))[0] == 200
