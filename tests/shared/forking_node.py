"""A fault put between a daemon and its node: from some block on the chain runs a fork that nobody here knows.

Headers get two more fields and the hash that covers them, or blocks get transactions of types that are not
Ethereum's; all else is the node's own. What is asked about such a block by its new hash reaches the node by
the one it knows.
"""

import asyncio
import json
import threading
from contextlib import suppress
from dataclasses import replace
from typing import Any

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from mev_dagster.chain import rlp
from mev_dagster.chain.blocks import header_hash
from mev_dagster.chain.jsonrpc import header_from_rpc

# A later fork has Amsterdam's fields as well.
AMSTERDAMS = {"requestsHash": "0x" + "03" * 32, "blockAccessListHash": "0x" + "04" * 32, "slotNumber": "0x9"}
LATER = {"laterRoot": "0x" + "07" * 32, "laterCount": "0x5"}
LATER_FIELDS = (rlp.encode_bytes(b"\x07" * 32), rlp.encode_int(5))
NEVER = 1 << 62


def foreign(kind: int, number: int) -> dict[str, Any]:
    """A transaction as rollups answer with one: nobody signed it, and its type is theirs."""
    return {
        "hash": f"0x{kind:02x}{number:062x}", "type": hex(kind), "from": "0x" + "de" * 20,
        "to": "0x" + "ad" * 20, "sourceHash": "0x" + "11" * 32, "mint": "0x0", "value": "0x0",
        "gas": "0xf4240", "input": "0x", "nonce": "0x0", "r": "0x0", "s": "0x0", "v": "0x0",
    }  # fmt: skip


class ForkingNode:
    """A WebSocket proxy; `fields_from` and `foreign_from` say at which block each fault begins."""

    def __init__(self, upstream: str, *, kinds: tuple[int, ...] = (0x7E, 0x64)) -> None:
        self.fields_from = self.foreign_from = NEVER
        self._upstream, self._kinds = upstream, kinds
        self._hashes: dict[str, str] = {}
        self._loop = asyncio.new_event_loop()
        started: threading.Event = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(60), "the proxy did not start"

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(60)

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._ended = asyncio.Event()
        self._loop.run_until_complete(self._serve(started))

    async def _serve(self, started: threading.Event) -> None:
        async with serve(self._serve_one, "127.0.0.1", 0, max_size=None) as server:
            self.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            started.set()
            await self._ended.wait()

    async def _serve_one(self, below: Any) -> None:
        async with connect(self._upstream, max_size=None) as above:

            async def down() -> None:
                async for message in above:
                    await below.send(self._altered(str(message)))

            answering = asyncio.create_task(down())
            try:
                # A daemon that is killed says no goodbye.
                with suppress(ConnectionClosed):
                    await self._up(below, above)
            finally:
                answering.cancel()

    async def _up(self, below: Any, above: Any) -> None:
        async for message in below:
            text = str(message)
            for real, shown in self._hashes.items():
                text = text.replace(shown, real)
            await above.send(text)

    def _altered(self, text: str) -> str:
        document = json.loads(text)
        self._alter(document)
        text = json.dumps(document)
        for real, shown in self._hashes.items():
            text = text.replace(real, shown)
        return text

    def _alter(self, found: Any) -> None:
        if isinstance(found, list):
            for entry in found:
                self._alter(entry)
        elif isinstance(found, dict):
            if {"parentHash", "stateRoot", "number", "hash"} <= found.keys():
                self._alter_block(found)
            else:
                for entry in found.values():
                    self._alter(entry)

    def _alter_block(self, block: dict[str, Any]) -> None:
        number, real = int(block["number"], 16), block["hash"]
        if number >= self.foreign_from and isinstance(block.get("transactions"), list):
            block["transactions"] += [foreign(kind, number) for kind in self._kinds]
        block["parentHash"] = self._hashes.get(block["parentHash"], block["parentHash"])
        forked = number >= self.fields_from
        if forked:
            block |= AMSTERDAMS
        header = header_from_rpc({name: value for name, value in block.items() if name != "hash"})
        if forked:
            header = replace(header, later_fields=LATER_FIELDS)
            block |= LATER
        self._hashes[real] = block["hash"] = "0x" + header_hash(header).hex()
