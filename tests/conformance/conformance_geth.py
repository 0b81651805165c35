"""A real geth, built once from source with Go, on a chain of its own."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from devp2p_clients import Client, free_port, running

from mev_dagster.chain.forks import BLOB_PARAMETERS, Fork

MODULE = "github.com/ethereum/go-ethereum/cmd"
# The one the networks' forks are judged by, then the newest, then those whose dependencies every proxy has.
VERSIONS = ("v1.17.10", "latest", "v1.17.7", "v1.16.8")
BUILD_SECONDS = 1_800.0


def built(name: str) -> Path:
    """Return geth or one of its tools (devp2p, evm): from MEV_GO_BIN, an earlier build, or built now."""
    cache = Path(os.environ.get("MEV_GO_BIN", Path.home() / ".cache" / "mev_dagster" / "go"))
    binary = cache / name
    if binary.exists():
        return binary
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is absent: geth cannot be built")
    cache.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GOBIN": str(cache), "GOFLAGS": "-mod=mod"}
    for version in VERSIONS:
        command = [go, "install", f"{MODULE}/{name}@{version}"]
        ended = subprocess.run(
            command, env=environment, capture_output=True, timeout=BUILD_SECONDS, check=False
        )
        if ended.returncode == 0:
            return binary
    pytest.skip(f"geth's modules are out of reach: {ended.stderr[-300:].decode(errors='replace')}")


@asynccontextmanager
async def geth(folder: Path, rich: bytes, **chain: Any) -> AsyncIterator[Client]:
    """A node past the merge; it needs no consensus client to keep a pool, to gossip and to simulate."""
    binary = str(built("geth"))
    (folder / "genesis.json").write_text(json.dumps(genesis(rich, **chain)))
    await asyncio.to_thread(
        subprocess.run, [binary, "init", "--datadir", "data", "genesis.json"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    port, rpc_port = free_port(), free_port()
    command = [
        *(binary, "--datadir", "data", "--networkid", "1337", "--syncmode", "full", "--ipcdisable"),
        *("--http", "--http.port", str(rpc_port), "--http.api", "eth,net,admin,txpool,debug,web3"),
        *("--authrpc.port", str(free_port()), "--port", str(port), "--nat", "extip:127.0.0.1"),
        *("--nodiscover", "--netrestrict", "127.0.0.0/8", "--verbosity", "4"),
    ]
    async with running(command, folder, rpc_port) as client:
        yield client


def genesis(
    rich: bytes,
    *,
    chain_id: int = 1337,
    fork: Fork = Fork.PRAGUE,
    since: int = 0,
    alloc: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict:
    """A chain of one fork, which may begin later, with one rich account and what else is given."""
    names = ["homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg"]
    config: dict[str, Any] = {f"{name}Block": 0 for name in (*names, "istanbul", "berlin", "london")}
    config |= {"chainId": chain_id, "terminalTotalDifficulty": 0, "terminalTotalDifficultyPassed": True}
    timed = [name for name in Fork if Fork.SHANGHAI <= name <= fork]
    config |= {f"{name.name.lower()}Time": since if name is fork else 0 for name in timed}
    config["depositContractAddress"] = "0x00000000219ab540356cbb839cbe05303d7705fa"
    config["blobSchedule"] = {
        name.name.lower(): {
            "target": blobs.target,
            "max": blobs.maximum,
            "baseFeeUpdateFraction": blobs.base_fee_update_fraction,
        }
        for name in timed
        if (blobs := BLOB_PARAMETERS.get(name)) is not None
    }
    zero = "0x" + "00" * 32
    return {
        "config": config,
        "nonce": "0x0",
        "timestamp": "0x65000000",
        "extraData": "0x",
        "gasLimit": "0x1c9c380",
        "difficulty": "0x0",
        "mixHash": zero,
        "coinbase": "0x" + "00" * 20,
        "baseFeePerGas": "0x3b9aca00",
        "alloc": {"0x" + rich.hex(): {"balance": hex(10**24)}} | dict(alloc or {}),
    }
