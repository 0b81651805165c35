"""One WebSocket to a real node: answers by id, notifications stamped, one clear line when it is gone."""

import asyncio

import msgspec
import pytest
from ingest_anvil import free_port, until
from websockets.asyncio.server import serve

from mev_dagster.errors import InputError, NodeAnswerError, NodeUnreachable
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
    with pytest.raises(InputError, match="expected ws://host:port"):
        await NodeConnection.open(url, SystemClock())


async def test_a_node_that_dies_ends_every_wait_with_the_reason(anvil):
    node = await NodeConnection.open(anvil.url, SystemClock())
    anvil.process.kill()
    error = await asyncio.wait_for(node.wait_closed(), 10)
    assert str(error).startswith(f"lost {anvil.url}: ")
    with pytest.raises(NodeUnreachable):
        await node.call("eth_chainId")
    await node.close()


@pytest.mark.parametrize("garbage", [b"not json", b"[]", b'{"id":"x"}', b"\xff\xfe"])
async def test_garbage_from_a_node_ends_the_connection_with_a_typed_error(garbage):
    async def handler(websocket):
        await websocket.recv()
        await websocket.send(garbage)
        await websocket.wait_closed()

    async with serve(handler, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        node = await NodeConnection.open(f"ws://127.0.0.1:{port}", SystemClock())
        with pytest.raises(NodeUnreachable, match="it sent what is not JSON-RPC"):
            await node.call("eth_chainId")
        await node.close()


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
