"""A real anvil on a free port, driven like a node operator would."""

import asyncio
import itertools
import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any

import msgspec
from websockets.sync.client import connect

DEADLINE_SECONDS = 60.0  # only a failure waits so long; a loaded machine is slow
# anvil's well-known first development accounts
KEYS = (
    bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
    bytes.fromhex("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"),
)
CHAIN_ID = 31337


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Anvil:
    """One anvil process and a control connection to it."""

    def __init__(self, binary: str, *flags: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"ws://127.0.0.1:{self.port}"
        self._binary, self._flags = binary, flags
        self._ids = itertools.count(1)
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [self._binary, "--port", str(self.port), "--no-mining", "--silent", *self._flags],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                self._control = connect(self.url, max_size=None)
                return
            except OSError:
                assert time.monotonic() < deadline, "anvil did not start"
                time.sleep(0.02)

    def call(self, method: str, *params: Any) -> Any:
        request = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        self._control.send(msgspec.json.encode(request).decode())
        answer = msgspec.json.decode(self._control.recv(timeout=DEADLINE_SECONDS))
        assert "error" not in answer, answer
        return answer["result"]

    def send(self, raw: bytes) -> bytes:
        return bytes.fromhex(self.call("eth_sendRawTransaction", "0x" + raw.hex())[2:])

    def send_all(self, raws: list[bytes]) -> None:
        """Send many at once, as one batch request."""
        requests = [
            {"jsonrpc": "2.0", "id": i, "method": "eth_sendRawTransaction", "params": ["0x" + raw.hex()]}
            for i, raw in enumerate(raws)
        ]
        self._control.send(msgspec.json.encode(requests).decode())
        answers = msgspec.json.decode(self._control.recv(timeout=DEADLINE_SECONDS))
        assert all("result" in answer for answer in answers), answers

    def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.call("anvil_mine", "0x1")

    def stop(self) -> None:
        self._control.close()
        self.process.kill()
        self.process.wait()


async def until(condition: Callable[[], Any], what: str, seconds: float = DEADLINE_SECONDS) -> Any:
    """Poll `condition` on the event loop until it is true, and return its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        await asyncio.sleep(0.005)
    return value
