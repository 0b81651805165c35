"""`mev bench rpc`: what one notification of the hot subscription costs us, and web3.py in our place.

A server in a thread of its own answers `eth_subscribe` and sends pending transactions as fast as they are
read; a figure is the reading thread's CPU time a notification, so the server is not in it.
"""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection, serve

from mev_dagster.bench.harness import Options, Result, judge
from mev_dagster.node.websocket import NodeConnection
from mev_dagster.telemetry.clock import SystemClock

NOTIFICATIONS = 20_000
ROUNDS = 3
_KIND = "newPendingTransactions"
_TRANSACTION = {
    "blockHash": None,
    "from": "0x" + "11" * 20,
    "gas": "0x5208",
    "hash": "0x" + "22" * 32,
    "input": "0x" + "ab" * 260,
    "nonce": "0x1",
    "to": "0x" + "33" * 20,
    "value": "0xde0b6b3a7640000",
    "type": "0x2",
    "maxFeePerGas": "0x59682f00",
    "maxPriorityFeePerGas": "0x3b9aca00",
    "chainId": "0x1",
    "v": "0x0",
    "r": "0x" + "44" * 32,
    "s": "0x" + "55" * 32,
}


def run(options: Options) -> Iterator[Result]:
    """Yield the cost of a notification by either client."""
    count = NOTIFICATIONS // 10 if options.quick else NOTIFICATIONS
    ours: list[float] = []
    peer: list[float] = []
    with _node(count) as url:
        for number in range(1 if options.quick else ROUNDS):
            options.step(f"round {number + 1}")
            ours.append(asyncio.run(_read_with_ours(url, count)))
            peer.append(asyncio.run(_read_with_web3(url, count)))
    yield judge(
        "rpc: a pending transaction off the subscription",
        1e6 * min(ours) / count,
        "us",
        peer="web3.py's WebSocketProvider",
        peer_value=1e6 * min(peer) / count,
        at_least_peer=3.0,
        note=f"{count} notifications of {len(json.dumps(_TRANSACTION))} bytes, the reading thread's CPU time",
    )


async def _read_with_ours(url: str, count: int) -> float:
    done, left = asyncio.Event(), count

    def notified(raw: msgspec.Raw, _wall_ns: int, _mono_ns: int) -> None:
        nonlocal left
        msgspec.json.decode(raw)
        left -= 1
        if not left:
            done.set()

    node = await NodeConnection.open(url, SystemClock())
    started = time.thread_time()
    await node.subscribe(_KIND, True, notified=notified)
    await done.wait()
    spent = time.thread_time() - started
    await node.close()
    return spent


async def _read_with_web3(url: str, count: int) -> float:
    from web3 import AsyncWeb3, WebSocketProvider

    async with AsyncWeb3(WebSocketProvider(url)) as node:
        started, left = time.thread_time(), count
        await node.eth.subscribe(_KIND, True)
        async for _ in node.socket.process_subscriptions():
            left -= 1
            if not left:
                break
        return time.thread_time() - started


@contextmanager
def _node(count: int) -> Iterator[str]:
    """Serve one subscription a connection, from a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(_serve(count), loop).result()
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def _serve(count: int) -> Any:
    note = json.dumps(
        {
            "jsonrpc": "2.0",
            "method": "eth_subscription",
            "params": {"subscription": "0x1", "result": _TRANSACTION},
        }
    )

    async def handle(socket: ServerConnection) -> None:
        async for message in socket:
            request = json.loads(message)
            is_subscription = request["method"] == "eth_subscribe"
            result = "0x1" if is_subscription else "0x0"
            await socket.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}))
            if is_subscription:
                for _ in range(count):
                    await socket.send(note)

    return await serve(handle, "127.0.0.1", 0, compression=None)


async def _stop(server: Any) -> None:
    server.close()
    await server.wait_closed()
