"""A platform of its own to measure: `mev up` in a folder of its own on free ports, asked from outside.

Used by `mev bench dagster` and `mev soak platform`. Nothing of it is in this process: CPU time and memory
are the kernel's figures of the supervised processes, materialisations are what Dagster's web server says.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec
import psutil

from mev_dagster.errors import MevError, NodeAnswerError, PlatformUnreachable
from mev_dagster.settings import Settings
from mev_dagster.store.client import open_store
from mev_dagster.store.tables import TABLES
from mev_dagster.units import NS_PER_MS

PORTS = ("store", "ingest", "webserver", "code_server", "relay")
DAGSTER = ("code-server", "daemon", "run-worker", "webserver")
"""The processes that are Dagster's; forked runs count as the run worker's."""
UP_SECONDS = 300
ASK_SECONDS = 30.0
MATERIALISED = """query($key: AssetKeyInput!, $limit: Int!) { assetNodeOrError(assetKey: $key) {
  ... on AssetNode { assetMaterializations(limit: $limit) { partition timestamp runId
    metadataEntries { label ... on IntMetadataEntry { intValue } ... on FloatMetadataEntry { floatValue } }
  } } } }"""


@dataclass(frozen=True, slots=True)
class Materialised:
    """One materialisation of an asset: of which block, when, and the figures it came with."""

    block: int
    at_ns: int
    figures: Mapping[str, float]


def free_ports(count: int) -> list[int]:
    """Return ports nobody listens on, below those the kernel gives to connections."""
    found: list[int] = []
    for port in range(14_000 + os.getpid() % 8_000, 32_000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise MevError(f"no {count} free ports below 32,000")


class Platform:
    """Every process of the platform, started by `with` and stopped at its end."""

    def __init__(self, home: Path, arguments: Sequence[str], **told: str) -> None:
        self._arguments = arguments
        ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("MEV_")},
            **{f"MEV_{name.upper()}_PORT": str(port) for name, port in ports.items()},
            "MEV_HOME": str(home),
            **told,
        }
        self.settings = Settings(home=home, dagster={"webserver_port": ports["webserver"]})
        self.processes: dict[str, int] = {}

    def __enter__(self) -> Self:
        told = self._mev("up", *self._arguments, "--wait", str(UP_SECONDS), "--json")
        listed = msgspec.json.decode(told) if told else {"processes": []}
        self.processes = {one["name"]: one["pid"] for one in listed["processes"]}
        if not listed.get("healthy"):
            self.__exit__()
            raise PlatformUnreachable(f"the platform did not come up within {UP_SECONDS} s: {listed}")
        return self

    def __exit__(self, *_: object) -> None:
        self._mev("down")

    def _mev(self, *arguments: str) -> bytes:
        command = [sys.executable, "-m", "mev_dagster", *arguments]
        return subprocess.run(command, env=self._environment, capture_output=True).stdout  # noqa: PLW1510

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a `mev` command beside the platform, in its environment."""
        return subprocess.Popen(
            [sys.executable, "-m", "mev_dagster", *arguments],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def stop_process(self, name: str) -> None:
        """Stop one of the processes, for good."""
        control = [sys.executable, "-m", "supervisor.supervisorctl"]
        configuration = str(self.settings.home / "supervisord.conf")
        socket_url = f"unix://{_socket_of(Path(configuration))}"
        subprocess.run([*control, "-s", socket_url, "stop", name], check=True, capture_output=True)

    def ask(self, query: str, **variables: Any) -> Any:
        """Ask Dagster's web server one question and return its only field."""
        body = msgspec.json.encode({"query": query, "variables": variables})
        url = f"http://127.0.0.1:{self.settings.dagster.webserver_port}/graphql"
        request = urllib.request.Request(url, body, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=ASK_SECONDS) as answer:  # noqa: S310
                found = msgspec.json.decode(answer.read())
        except OSError as error:
            raise PlatformUnreachable(f"{url}: {error}") from error
        if found.get("errors"):
            raise NodeAnswerError(f"{url}: {found['errors'][0].get('message')}")
        (value,) = found["data"].values()
        return value

    def materialised(self, asset: str, limit: int = 1_000) -> list[Materialised]:
        """Return the newest materialisations of an asset, oldest first."""
        found = self.ask(MATERIALISED, key={"path": [asset]}, limit=limit)["assetMaterializations"]
        return [
            Materialised(
                int(one["partition"]),
                int(one["timestamp"]) * NS_PER_MS,
                {
                    entry["label"]: float(entry.get("intValue", entry.get("floatValue")) or 0)
                    for entry in one["metadataEntries"]
                    if "intValue" in entry or "floatValue" in entry
                },
            )
            for one in reversed(found)
        ]

    def await_blocks(self, blocks: Sequence[int], seconds: float, table: str = "block_runs") -> bool:
        """Wait until a table has rows of all these blocks; say whether it came to that in time.

        The store is asked, not Dagster, whose CPU time is being measured.
        """
        deadline = time.monotonic() + seconds
        asked = f"SELECT DISTINCT {TABLES[table].block_column} FROM {table}"  # noqa: S608
        with open_store(self.settings, in_process=False, migrate=False) as store:
            while not {int(row[0]) for row in store.rows(asked)} >= set(blocks):
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.5)
        return True

    def dagster_cpu_seconds(self) -> float:
        """Return the CPU time of Dagster's processes and of the runs they forked, ended ones included."""
        return sum(_cpu_seconds(self.processes[name]) for name in DAGSTER)

    def rss_mib(self) -> dict[str, float]:
        """Return the resident memory of each process itself, without its children."""
        return {name: psutil.Process(pid).memory_info().rss / 2**20 for name, pid in self.processes.items()}


def _socket_of(configuration: Path) -> str:
    lines = configuration.read_text().splitlines()
    return next(line.removeprefix("file=") for line in lines if line.startswith("file="))


def _cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process tree; a child that ends in between counts with its parent."""
    process = psutil.Process(pid)
    total = sum(process.cpu_times()[:4])
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(child.cpu_times()[:4])
    return float(total)
