"""Other people's clients as child processes: found or skipped, started on free ports, stopped again."""

import asyncio
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mev_dagster.chain.signing import sign_transaction
from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import NodeAnswerError, NodeUnreachable
from mev_dagster.node.http import JsonRpc

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90.0
ENODE = re.compile(rb"enode://[0-9a-f]{128}@127\.0\.0\.1:[0-9]+")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def need_npm(package: str) -> Path:
    folder = ROOT / "node_modules" / package
    if shutil.which("node") is None or not folder.exists():
        pytest.skip(f"{package} is absent: run `make setup` with Node.js installed")
    return folder


class LibraryPeer:
    """@ethereumjs/devp2p behind JSON lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said: list[dict] = []

    @classmethod
    async def start(cls, count: int, dial: str = "") -> "LibraryPeer":
        need_npm("@ethereumjs/devp2p")
        process = await asyncio.create_subprocess_exec(
            "node",
            str(Path(__file__).with_name("library_peer.mjs")),
            *(str(count), *([dial] if dial else [])),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            limit=1 << 24,
        )
        peer = cls(process)
        async with asyncio.timeout(START_SECONDS):
            peer.hello = await peer.hear("id")
        return peer

    async def hear(self, key: str) -> dict:
        """Read until the peer says something about `key`."""
        while line := await self.process.stdout.readline():
            said = json.loads(line)
            self.said.append(said)
            if key in said:
                return said
        raise AssertionError(f"the library peer ended: {self.said[-5:]}")

    @property
    def hashes(self) -> set[bytes]:
        return {bytes.fromhex(text[2:]) for text in self.hello["hashes"]}

    @property
    def enode(self) -> str:
        return f"enode://{self.hello['id']}@127.0.0.1:{self.hello['port']}"

    async def stop(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


class Client:
    """A full client with JSON-RPC and devp2p."""

    def __init__(self, rpc: JsonRpc, enode: str, log: Path) -> None:
        self.rpc, self.enode, self._log = rpc, enode, log

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def rich_key(self) -> bytes:
        return bytes.fromhex(re.search(r"Private key: 0x([0-9a-f]{64})", self.log)[1])

    async def send(self, transaction: Transaction) -> None:
        raw = "0x" + transaction.raw.hex()
        answer = await asyncio.to_thread(self.rpc.call, "eth_sendRawTransaction", [raw])
        assert answer == "0x" + transaction.hash.hex()


@asynccontextmanager
async def ethereumjs(folder: Path, *flags: str) -> AsyncIterator[Client]:
    """The EthereumJS client on its own development chain, whose one rich key it logs."""
    need_npm("@ethereumjs/client")
    binary = ROOT / "node_modules" / ".bin" / "ethereumjs"
    port, rpc_port = free_port(), free_port()
    arguments = [
        *("--dev=poa", "--minerCoinbase=0x0000000000000000000000000000000000000001", "--dataDir=data"),
        *("--rpc", f"--rpcPort={rpc_port}", "--rpcAddr=127.0.0.1", f"--port={port}", "--extIP=127.0.0.1"),
        *("--discDns=false", "--logFile=false", "--logLevel=debug", *flags),
    ]
    async with running([str(binary), *arguments], folder, rpc_port) as client:
        yield client


@asynccontextmanager
async def running(command: list[str], folder: Path, rpc_port: int) -> AsyncIterator[Client]:
    """A child process that logs an enode and answers JSON-RPC."""
    log = folder / "client.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=folder, stdout=file, stderr=file, stdin=subprocess.DEVNULL)
    rpc = JsonRpc(f"http://127.0.0.1:{rpc_port}", timeout_seconds=30)
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            found = ENODE.search(log.read_bytes())
            try:
                if found and await asyncio.to_thread(rpc.call, "eth_chainId"):
                    break
            except (NodeUnreachable, NodeAnswerError):
                pass
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            await asyncio.sleep(0.2)
        yield Client(rpc, found[0].decode(), log)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def payment(key: bytes, nonce: int, *, chain_id: int, data: bytes = b"") -> Transaction:
    """A transaction any pool takes from a rich key."""
    return sign_transaction(
        key,
        chain_id=chain_id,
        nonce=nonce,
        to=b"\x01" * 20,
        gas_limit=21_000 + 50 * len(data),
        max_fee_per_gas_wei=10**11,
        max_priority_fee_per_gas_wei=10**9,
        data=data,
    )
