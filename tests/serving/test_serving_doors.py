"""The door: who may come in, by what a request's head says; and the same over a real socket."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest
import uvicorn
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from mev_dagster.errors import InputError, PortInUse
from mev_dagster.serving import protocol
from mev_dagster.serving.doors import Door, Guarded, hosts_of
from mev_dagster.serving.listen import bind, url_of
from mev_dagster.serving.metrics import refusals
from mev_dagster.serving.protocol import DeadlineProtocol
from mev_dagster.serving.token import home_token

OURS = "127.0.0.1:19464"
DOOR = Door(frozenset({"mev.example"}), "secret", ("/log/",))


def code(method="GET", path="/metrics", door=DOOR, **headers):
    named = {"host": OURS} | {name.replace("_", "-"): value for name, value in headers.items()}
    refusal = door.refusal(method, path, named)
    return None if refusal is None else (refusal.status, refusal.code)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.8.8:19464", "localhost:1", "[::1]:8", "mev.example", "MEV.example.:80"]
)
def test_the_service_s_own_names_come_in(host):
    assert code(host=host) is None


@pytest.mark.parametrize(
    "host", ["pages.example", "10.0.0.1", "127.0.0.1.pages.example", "0.0.0.0", "[", "a@b@c"]
)
def test_a_name_that_is_not_the_service_s_is_a_rebinding_and_stays_out(host):
    assert code(host=host) == (421, "wrong_host")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_page_of_another_origin_changes_nothing(method):
    assert code(method, "/alerts", origin="http://pages.example") == (403, "foreign_origin")
    assert code(method, "/alerts", origin="null") == (403, "foreign_origin")
    assert code(method, "/alerts", origin="http://127.0.0.1:1") == (403, "foreign_origin")
    assert code(method, "/alerts", sec_fetch_site="cross-site") == (403, "foreign_origin")
    assert code(method, "/alerts", origin=f"http://{OURS}") is None
    assert code(method, "/alerts") is None


def test_what_changes_kept_state_shows_the_token():
    assert code("POST", "/log/prune") == (401, "no_token")
    assert code("POST", "/log/prune", authorization="Bearer wrong") == (401, "no_token")
    assert code("POST", "/log/prune", authorization="Basic secret") == (401, "no_token")
    assert code("POST", "/log/prune", authorization="Bearer secret") is None
    assert code("POST", "/log/prune", door=Door()) is None


def test_a_socket_from_another_page_is_refused():
    assert DOOR.refuses_socket({"host": OURS, "origin": "http://pages.example"}).status == 403
    assert DOOR.refuses_socket({"host": "pages.example"}).status == 421
    assert DOOR.refuses_socket({"host": OURS}) is None


def test_any_address_is_no_name():
    assert hosts_of("0.0.0.0", None, "https://mev.example:8/path", "box") == {"mev.example", "box"}


def test_the_token_of_a_home_is_made_once_and_for_its_owner_alone(tmp_path):
    first = home_token(tmp_path)
    assert home_token(tmp_path) == first
    assert len(first) >= 32
    [file] = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    assert home_token(tmp_path) == first
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("")
    with pytest.raises(InputError, match="is empty"):
        home_token(tmp_path)


def test_a_taken_port_names_the_setting_that_moves_the_service():
    with bind("relay", "127.0.0.1", 0, "MEV_RELAY_PORT") as taken:
        assert taken.proto == socket.IPPROTO_TCP
        with pytest.raises(PortInUse, match="MEV_RELAY_PORT"):
            bind("relay", "127.0.0.1", taken.getsockname()[1], "MEV_RELAY_PORT")
    with pytest.raises(InputError, match="relay: "):
        bind("relay", "127.0.0.1", 70_000, "MEV_RELAY_PORT")


@asynccontextmanager
async def served(app):
    listener = bind("test", "127.0.0.1", 0, "nothing")
    config = uvicorn.Config(app, http=DeadlineProtocol, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield int(url_of(listener).rpartition(":")[2])
    finally:
        server.should_exit = True
        await serving


async def ask(port, head):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(65_536), 5)
    writer.close()
    return answer


def hello():
    async def say(request):
        return PlainTextResponse("hello")

    return Starlette(routes=[Route("/", say, methods=["GET", "POST"])])


async def test_refusals_are_answered_and_counted():
    registry = CollectorRegistry()
    async with served(Guarded(hello(), Door(), refusals(registry))) as port:
        assert b"hello" in await ask(port, "GET / HTTP/1.1\nHost: localhost\nConnection: close")
        refused = await ask(port, "GET / HTTP/1.1\nHost: pages.example\nConnection: close")
    assert refused.startswith(b"HTTP/1.1 421")
    assert registry.get_sample_value("mev_http_refused_total", {"code": "wrong_host"}) == 1


async def test_more_requests_than_are_answered_at_once_are_told_to_come_again():
    entered, release = asyncio.Event(), asyncio.Event()

    async def wait(scope, receive, send):
        entered.set()
        await release.wait()
        await PlainTextResponse("done")(scope, receive, send)

    async with served(Guarded(wait, Door(), at_once=1)) as port:
        head = "GET / HTTP/1.1\nHost: localhost\nConnection: close"
        first = asyncio.create_task(ask(port, head))
        await entered.wait()
        assert (await ask(port, head)).startswith(b"HTTP/1.1 503")
        release.set()
        assert b"done" in await first


async def test_a_connection_that_says_nothing_or_drips_its_head_is_ended(monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    async with served(hello()) as port:
        silent, _w1 = await asyncio.open_connection("127.0.0.1", port)
        dripping, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: loc")
        assert await asyncio.wait_for(silent.read(1), 5) == b""
        assert await asyncio.wait_for(dripping.read(1), 5) == b""
        kept, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await asyncio.wait_for(kept.read(1_000), 5)).startswith(b"HTTP/1.1 200")
        writer.write(b"GET / HT")
        assert await asyncio.wait_for(kept.read(1), 5) == b""


async def test_silent_connections_beyond_the_bound_make_room_for_the_next(monkeypatch):
    monkeypatch.setattr(protocol, "MAX_SILENT", 4)
    async with served(hello()) as port:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
        assert b"hello" in await ask(port, "GET / HTTP/1.1\nHost: localhost\nConnection: close")
        assert await asyncio.wait_for(silent[0][0].read(1), 5) == b""
