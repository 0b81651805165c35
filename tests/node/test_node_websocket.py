"""One WebSocket to a real node: answers by id, notifications stamped, one clear line when it is gone."""

import asyncio
from contextlib import asynccontextmanager

import msgspec
import pytest
from ingest_anvil import free_port, until
from websockets.asyncio.server import serve

from mev_dagster.errors import (
    InputError,
    NodeAnswerError,
    NodeMethodMissing,
    NodeRateLimited,
    NodeUnreachable,
)
from mev_dagster.node.websocket import NodeConnection
from mev_dagster.telemetry.clock import SystemClock

pytestmark = pytest.mark.anvil


async def test_answers_come_back_to_their_own_request(anvil):
    node = await NodeConnection.open(anvil.url, SystemClock())
    answers = await node.call_all(
        [("eth_chainId", []), ("eth_getBlockByNumber", ["0x0", False]), ("eth_blockNumber", [])]
    )
    assert (answers[0], answers[1]["number"], answers[2]) == ("0x7a69", "0x0", "0x0")
    await node.close()


async def test_a_subscription_delivers_heads_stamped_at_the_socket(anvil):
    clock = SystemClock()
    heads = []
    node = await NodeConnection.open(anvil.url, clock)
    await node.subscribe("newHeads", notified=lambda raw, *at: heads.append((msgspec.json.decode(raw), at)))
    before = clock.wall_ns()
    anvil.mine(2)
    await until(lambda: len(heads) == 2, "two heads")
    assert [head["number"] for head, _ in heads] == ["0x1", "0x2"]
    assert before < heads[0][1][0] <= heads[1][1][0] < clock.wall_ns()
    await node.close()


async def test_a_refused_method_names_itself_and_the_connection_lives_on(anvil):
    node = await NodeConnection.open(anvil.url, SystemClock())
    with pytest.raises(NodeAnswerError, match=r"ws://127.0.0.1:\d+ refused debug_nosuch: -32602"):
        await node.call("debug_nosuch")
    assert await node.call("eth_chainId") == "0x7a69"
    await node.close()


async def test_an_unreachable_node_is_one_line_without_the_key_in_its_address():
    port = free_port()
    with pytest.raises(NodeUnreachable) as caught:
        await NodeConnection.open(f"ws://127.0.0.1:{port}/secret-key", SystemClock())
    assert str(caught.value).startswith(f"no answer from ws://127.0.0.1:{port}: ")
    assert "secret-key" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_server_that_never_answers_times_out():
    async def silent(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(NodeUnreachable, match=r"within 0.05 s"):
        await NodeConnection.open(f"ws://127.0.0.1:{port}", SystemClock(), timeout_seconds=0.05)
    server.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:8545", "127.0.0.1:8545", "ws://"])
async def test_only_a_websocket_address_is_accepted(url):
    with pytest.raises(InputError, match="is no WebSocket address"):
        await NodeConnection.open(url, SystemClock())


async def test_a_node_that_dies_ends_every_wait_with_the_reason(anvil):
    node = await NodeConnection.open(anvil.url, SystemClock())
    anvil.process.kill()
    error = await asyncio.wait_for(node.wait_closed(), 10)
    assert str(error).startswith(f"lost {anvil.url}: ")
    with pytest.raises(NodeUnreachable):
        await node.call("eth_chainId")
    await node.close()


@asynccontextmanager
async def node_that_sends(*frames):
    """Answer the first request with these frames; `ID` in one is the request's id."""

    async def handler(websocket):
        request = msgspec.json.decode(await websocket.recv())
        for frame in frames:
            await websocket.send(frame.replace(b"ID", str(request["id"]).encode()))
        await websocket.wait_closed()

    async with serve(handler, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        node = await NodeConnection.open(f"ws://127.0.0.1:{port}", SystemClock())
        yield node
        await node.close()


@pytest.mark.parametrize("odd", [b"ping", b"", b'{"hello":1', b"\xff\xfe", b"[" * 100_000, b"[1]"])
async def test_a_frame_that_is_no_message_is_counted_and_the_connection_lives_on(odd):
    async with node_that_sends(odd, b'{"id":ID,"result":"0x1"}') as node:
        assert (await node.call("eth_chainId"), node.unreadable) == ("0x1", 1)


@pytest.mark.parametrize(
    "answer",
    [
        b'{"jsonrpc":"2.0","id":"ID","result":"0x1"}',
        b'[{"jsonrpc":"2.0","id":ID,"result":"0x1"}]',
        b'[{"id":77,"result":1},{"id":ID,"result":"0x1"}]',
        b'{"id":ID,"result":"0x1","error":null,"params":null}',
    ],
)
async def test_an_answer_in_an_odd_envelope_reaches_its_request(answer):
    async with node_that_sends(answer) as node:
        assert await node.call("eth_chainId") == "0x1"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (b'{"code":"429","message":"limit"}', NodeRateLimited),
        (b'{"code":-32005,"message":null}', NodeRateLimited),
        (b'{"message":"Too Many Requests"}', NodeRateLimited),
        (b'{"code":"-32601","message":"no"}', NodeMethodMissing),
        (b'{"code":-32000,"message":null}', NodeAnswerError),
        (b'"header not found"', NodeAnswerError),
        (b"{}", NodeAnswerError),
    ],
)
async def test_an_error_in_an_odd_form_fails_its_call_alone(error, kind):
    async with node_that_sends(b'{"id":ID,"error":' + error + b"}") as node:
        with pytest.raises(NodeAnswerError) as caught:
            await node.call("eth_chainId")
        assert (type(caught.value), node.is_open) == (kind, True)


async def test_an_error_of_megabytes_is_cut():
    async with node_that_sends(b'{"id":ID,"error":{"code":1,"message":"' + b"x" * 2**24 + b'"}}') as node:
        with pytest.raises(NodeAnswerError) as caught:
            await node.call("eth_chainId")
    assert len(str(caught.value)) < 500


async def test_a_server_that_sends_only_garbage_is_no_node():
    async with node_that_sends(*[b"ping"] * 256) as node:
        with pytest.raises(NodeUnreachable, match="it sends what is not JSON-RPC"):
            await node.call("eth_chainId")


async def test_a_subscription_the_node_gives_up_is_told_and_the_connection_lives_on():
    gave_up = b'{"params":{"subscription":"0x1","error":{"code":-32000,"message":"buffer overflow"}}}'
    told = []
    async with node_that_sends(b'{"id":ID,"result":"0x1"}', gave_up) as node:
        await node.subscribe("newHeads", notified=lambda *_: None, ended=told.append)
        await until(lambda: told, "the end of the subscription")
        assert (node.is_open, "buffer overflow" in str(told[0])) == (True, True)


async def test_a_fault_in_a_subscriber_ends_the_connection_and_is_shown_to_who_waits(anvil):
    node = await NodeConnection.open(anvil.url, SystemClock())

    def faulty(*_):
        raise ZeroDivisionError("in a subscriber")

    await node.subscribe("newHeads", notified=faulty)
    anvil.mine()
    assert isinstance(await asyncio.wait_for(node.wait_closed(), 10), ZeroDivisionError)
    await node.close()


async def test_a_call_cancelled_as_its_answer_arrives_is_cancelled(anvil, monkeypatch):
    node = await NodeConnection.open(anvil.url, SystemClock())
    dispatch = node._dispatch

    def cancelling(*arguments):
        dispatch(*arguments)
        calling.cancel()

    monkeypatch.setattr(node, "_dispatch", cancelling)
    calling = asyncio.create_task(node.call("eth_chainId"))
    with pytest.raises(asyncio.CancelledError):
        await calling
    await node.close()


async def test_a_notification_that_overtakes_its_subscription_is_kept():
    async def handler(websocket):
        request = msgspec.json.decode(await websocket.recv())
        note = {"method": "eth_subscription", "params": {"subscription": "0x1", "result": 7}}
        await websocket.send(msgspec.json.encode(note).decode())
        await websocket.send(msgspec.json.encode({"id": request["id"], "result": "0x1"}).decode())
        await websocket.wait_closed()

    async with serve(handler, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        node = await NodeConnection.open(f"ws://127.0.0.1:{port}", SystemClock())
        got = []
        await node.subscribe("newHeads", notified=lambda raw, *_: got.append(bytes(raw)))
        assert got == [b"7"]
        await node.close()
