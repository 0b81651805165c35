"""Control calls answer alike over HTTP, WebSocket and IPC, and fail in our own words."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from websockets.asyncio.server import serve

from mev_dagster.errors import InputError, NodeAnswerError, NodeUnreachable
from mev_dagster.node.control import NodeControl, NodeIdentity, identify

ANSWERS = {
    "web3_clientVersion": "toy/v1",
    "eth_chainId": "0x539",
    "eth_blockNumber": "0x10",
    "eth_syncing": False,
    "toy_word": "no number",
}


def answered(text: str | bytes) -> str | None:
    request = json.loads(text)
    if request["method"] == "toy_silence":
        return None
    told = (
        {"result": ANSWERS[request["method"]]}
        if request["method"] in ANSWERS
        else {"error": {"code": -32601, "message": "no such method"}}
    )
    return json.dumps({"jsonrpc": "2.0", "id": request["id"], **told})


@asynccontextmanager
async def over_http(_: Path) -> AsyncIterator[str]:
    async def handle(request: web.Request) -> web.Response:
        answer = answered(await request.text())
        if answer is None:
            await asyncio.sleep(60)
        return web.Response(text=answer, content_type="application/json")

    app = web.Application()
    app.router.add_post("/", handle)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@asynccontextmanager
async def over_websocket(_: Path) -> AsyncIterator[str]:
    async def handle(socket) -> None:
        async for message in socket:
            if (answer := answered(message)) is not None:
                await socket.send(answer)

    async with serve(handle, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def over_ipc(folder: Path) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder, text = json.JSONDecoder(), ""
        while data := await reader.read(4096):
            text = (text + data.decode()).lstrip()
            while text:
                try:
                    _, end = decoder.raw_decode(text)
                except ValueError:
                    break
                if (answer := answered(text[:end])) is not None:
                    writer.write(answer.encode() + b"\n")
                text = text[end:].lstrip()
        writer.close()

    path = folder / "node.ipc"
    async with await asyncio.start_unix_server(handle, path):
        yield str(path)


NODES = pytest.mark.parametrize("node", [over_http, over_websocket, over_ipc])


@NODES
async def test_a_node_says_what_it_is(node, tmp_path: Path):
    async with node(tmp_path) as url:
        assert await identify(url) == NodeIdentity("toy/v1", 1337, 16, syncing=False)


@NODES
async def test_an_error_answer_is_told_with_the_nodes_own_words(node, tmp_path: Path):
    async with node(tmp_path) as url, NodeControl(url) as control:
        with pytest.raises(NodeAnswerError, match="toy_unknown: error -32601: no such method"):
            await control.call("toy_unknown")
        assert await control.call("toy_word") == "no number"


@NODES
async def test_a_silent_node_is_given_up_at_the_deadline(node, tmp_path: Path):
    async with node(tmp_path) as url, NodeControl(url, timeout_seconds=0.2) as control:
        with pytest.raises(NodeUnreachable, match=r"toy_silence: no answer within 0\.2 s"):
            await control.call("toy_silence")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "ws://127.0.0.1:9/key", "/nowhere/node.ipc"])
async def test_an_absent_node_is_named_without_its_key(url: str):
    with pytest.raises(NodeUnreachable) as absent:
        await identify(url)
    assert url.removesuffix("/key") in str(absent.value)
    assert "/key" not in str(absent.value)


async def test_an_address_of_another_kind_is_refused():
    with pytest.raises(InputError, match="http://, ws:// or the path of an IPC socket"):
        await identify("ftp://127.0.0.1/key")
