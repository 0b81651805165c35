"""The RPC lane over whatever leads to a node: HTTP is polled, an IPC socket is followed, headers are sent."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest_anvil import Anvil, until
from ingest_run import new_pipeline, running, transfer

from mev_dagster.errors import InputError, NodeRateLimited, NodeUnreachable
from mev_dagster.events.types import BlockReverted, LaneState, LaneStatus, TxBody, TxSeen
from mev_dagster.ingest.lanes.lane import LaneOrder
from mev_dagster.ingest.lanes.rpc import RpcLane, RpcMaker
from mev_dagster.node.http import JsonRpc
from mev_dagster.node.ipc import JsonDocuments
from mev_dagster.node.link import check_node_url, node_name
from mev_dagster.node.open import open_node
from mev_dagster.node.pace import Pace
from mev_dagster.settings import Settings
from mev_dagster.telemetry.clock import SystemClock
from mev_dagster.units import NS_PER_SECOND


@pytest.fixture
def reached_by(request, anvil_binary, tmp_path):
    """A fresh anvil and the address that leads to it."""
    path = str(tmp_path / "anvil.ipc")
    node = Anvil(anvil_binary, "--hardfork", "prague", "--ipc", path)
    yield node, {"ipc": path, "http": node.url.replace("ws", "http", 1)}[request.param]
    node.stop()


@pytest.mark.anvil
@pytest.mark.parametrize("reached_by", ["http", "ipc"], indirect=True)
async def test_pending_transactions_heads_and_reorgs_come_in(reached_by):
    anvil, url = reached_by
    pipeline = new_pipeline()
    lane = RpcLane(url, SystemClock(), chain=pipeline.chain.copy(), knows=pipeline.knows)
    async with running(lane, pipeline) as run:
        await until(lambda: any(one.state is LaneState.RESYNCED for one in run.of(LaneStatus)), "the lane")
        snapshot = await asyncio.to_thread(anvil.call, "evm_snapshot")
        tx = transfer(0)
        await asyncio.to_thread(anvil.send, tx.raw)
        await until(lambda: tx.hash in run.hashes(TxBody), "the body")
        assert tx.hash in run.hashes(TxSeen)
        await asyncio.to_thread(anvil.mine, 2)
        await until(lambda: run.head() == 2, "block 2")
        await asyncio.to_thread(anvil.call, "evm_revert", snapshot)
        await asyncio.to_thread(anvil.mine, 3)
        await until(lambda: run.head() == 3, "the rival chain")
    assert [one.number for one in run.of(BlockReverted)] == [2, 1]
    assert lane.source == node_name(url)


@asynccontextmanager
async def http_node(answer):
    """Serve JSON-RPC over HTTP; `answer(request, call)` gives the HTTP answer."""

    async def handle(request: web.Request) -> web.Response:
        return answer(request, json.loads(await request.text()))

    app = web.Application()
    app.router.add_post("/{tail:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    try:
        yield f"127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    finally:
        await runner.cleanup()


def result(call, value) -> web.Response:
    return web.json_response({"jsonrpc": "2.0", "id": call["id"], "result": value})


async def test_headers_and_basic_authorization_are_sent_over_http():
    seen = []

    def answer(request, call):
        seen.append((request.headers.get("X-Key"), request.headers.get("Authorization")))
        return result(call, "0x1")

    async with http_node(answer) as address:
        node = await open_node(f"http://user:pass@{address}/path", SystemClock(), headers={"X-Key": "k"})
        assert await node.call("eth_chainId") == "0x1"
        assert node.address == f"http://{address}"
        await node.close()
    assert seen == [("k", "Basic dXNlcjpwYXNz")]


async def test_a_refusal_for_haste_says_how_long_to_wait():
    def answer(request, call):
        return web.Response(status=429, headers={"Retry-After": "7"})

    async with http_node(answer) as address:
        node = await open_node(f"http://{address}", SystemClock())
        with pytest.raises(NodeRateLimited) as refused:
            await node.call("eth_chainId")
        await node.close()
    assert refused.value.retry_after_seconds == 7


async def test_nobody_there_is_unreachable_and_closes_the_link():
    node = await open_node("http://127.0.0.1:9", SystemClock())
    with pytest.raises(NodeUnreachable, match=r"no answer from http://127.0.0.1:9"):
        await node.call("eth_chainId")
    assert isinstance(await asyncio.wait_for(node.wait_closed(), 5), NodeUnreachable)
    await node.close()


async def test_a_redirect_gets_no_headers():
    asked = []

    def answer(request, call):
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    async with http_node(answer) as address:
        node = await open_node(f"http://{address}/", SystemClock(), headers={"X-Key": "k"})
        with pytest.raises(Exception, match="HTTP status 307"):
            await node.call("eth_chainId")
        await node.close()
    assert asked == ["/"]


DOCUMENT = st.dictionaries(st.text(), st.text() | st.lists(st.integers()), max_size=2)


@settings(max_examples=30, deadline=None)
@given(st.lists(DOCUMENT, max_size=4), st.data())
def test_documents_come_out_whole_wherever_the_stream_was_cut(documents, data):
    separator = data.draw(st.sampled_from(["", "\n", " \r\n"]))
    stream = "".join(
        json.dumps(one, ensure_ascii=data.draw(st.booleans())) + separator for one in documents
    ).encode()
    step = data.draw(st.integers(1, 12))
    frames, found = JsonDocuments(10_000), []
    for start in range(0, len(stream), step):
        found += frames.feed(stream[start : start + step])
    assert [json.loads(one) for one in found] == documents


def test_a_document_without_an_end_is_refused():
    with pytest.raises(NodeUnreachable, match="more than 100 bytes"):
        JsonDocuments(100).feed(b'{"a": "' + b"x" * 200)


@pytest.mark.parametrize("url", ["ftp://node", "node:8545", "http://", "ws:///x"])
def test_an_address_that_leads_to_no_node_is_named(url):
    with pytest.raises(InputError, match="the rpc lane follows a node at ws://"):
        check_node_url(url)


def test_every_provider_has_a_lane_by_its_name_with_its_own_headers():
    told = Settings(
        providers=[
            {"url": "ws://one:1", "headers": {"X-Key": "secret-one"}},
            {"url": "http://two:2", "name": "second"},
            {"url": "/run/geth.ipc"},
        ]
    )
    assert len(RpcMaker().prepare_all(LaneOrder(told, {}))) == 3
    assert [one.name for one in told.nodes] == ["one:1", "second", "geth.ipc"]
    assert told.headers_for("http://one:1/v3/key") == {"X-Key": "secret-one"}
    assert told.headers_for("http://two:2") == told.headers_for("http://elsewhere") == {}
    assert "secret-one" not in repr(told) + str(told)


@pytest.mark.parametrize("text", ["X-Key: secret: one", '{"X-Key": "secret: one"}'])
def test_headers_are_read_from_the_environment(monkeypatch, text):
    monkeypatch.setenv("MEV_RPC_HEADERS", text)
    told = Settings(rpc={"url": "http://node:1"})
    assert told.headers_for("http://node:1") == {"X-Key": "secret: one"}


def test_headers_that_cannot_be_read_are_not_shown(monkeypatch):
    monkeypatch.setenv("MEV_RPC_HEADERS", "secret")
    with pytest.raises(InputError) as refused:
        Settings()
    assert "MEV_RPC_HEADERS" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_state_is_asked_for_with_the_headers_of_its_node(monkeypatch):
    told = Settings(rpc={"url": "ws://node:1", "headers": {"X-Key": "k"}})
    monkeypatch.setattr("mev_dagster.node.http.settings", lambda: told)
    assert JsonRpc("http://node:1")._headers["X-Key"] == "k"
    assert "X-Key" not in JsonRpc("http://other:1")._headers


def test_a_provider_that_names_a_time_is_asked_nothing_before_it():
    pace = Pace()
    pace.refused(0, retry_after_seconds=5)
    assert pace.wait_ns(0) == 5 * NS_PER_SECOND
