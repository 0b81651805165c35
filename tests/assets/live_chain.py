"""A real anvil, a real daemon following it, and the reorgs of a node operator's nightmare."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mev_dagster.events.reader import EventLogReader
from mev_dagster.events.types import BlockSeen
from mev_dagster.node.http import JsonRpc
from mev_dagster.settings import settings
from mev_dagster.store.client import open_store

DEADLINE_SECONDS = 60
RICH = ("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266", "0x70997970c51812dc3a010c7d01b50e0d17dc79c8")


def wait_until(condition: Callable[[], Any], what: str, seconds: float = DEADLINE_SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        time.sleep(0.05)
    return value


class LiveChain:
    """anvil and `mev ingest` beside it, in `home`."""

    def __init__(self, binary: str, home: Path, node_port: int) -> None:
        self.home, self.url = home, f"ws://127.0.0.1:{node_port}"
        self.processes = [
            subprocess.Popen(
                [binary, "--port", str(node_port), "--no-mining", "--silent", "--hardfork", "prague"]
            )
        ]
        self.rpc = JsonRpc(f"http://127.0.0.1:{node_port}")
        wait_until(self._answers, "anvil")
        self.processes.append(
            subprocess.Popen(
                [
                    *(sys.executable, "-m", "mev_dagster", "ingest"),
                    *("--lanes", "rpc", "--rpc", self.url, "--port", "0"),
                ],
                env=dict(os.environ),
                stderr=(home / "ingest.log").open("wb"),
            )
        )  # fmt: skip
        wait_until(lambda: (home / "events").is_dir() and self.heads(), "the daemon's first head")

    def _answers(self) -> bool:
        try:
            return bool(self.rpc.call("eth_chainId"))
        except Exception:
            return False

    def heads(self) -> list[BlockSeen]:
        """Every head the daemon has logged."""
        return [
            event for event in EventLogReader(self.home / "events").read(0) if isinstance(event, BlockSeen)
        ]

    def pay(self, value: int) -> None:
        """Leave a payment pending."""
        request = {"from": RICH[0], "to": RICH[1], "value": hex(value), "gas": hex(21_000)}
        self.rpc.call("eth_sendTransaction", [request])

    def mine(self) -> BlockSeen:
        """Mine a block and wait until its window is logged and stored."""
        self.rpc.call("evm_mine", [])
        number = int(str(self.rpc.call("eth_blockNumber", [])), 16)
        return self._logged(number, lambda event: True)

    def reorg(self, depth: int = 1) -> None:
        """Replace the newest blocks and wait until the daemon has stored their successors."""
        number = int(str(self.rpc.call("eth_blockNumber", [])), 16)
        before = {event.block_hash for event in self.heads()}
        self.rpc.call("anvil_reorg", [depth, []])
        self._logged(number, lambda event: event.block_hash not in before)

    def _logged(self, number: int, wanted: Callable[[BlockSeen], bool]) -> BlockSeen:
        head = wait_until(
            lambda: next((e for e in self.heads() if e.number == number and wanted(e)), None),
            f"head {number}",
        )
        # The sensor, too, starts a block's run only when the daemon has stored its window.
        with open_store(settings(), in_process=False, migrate=False) as store:
            where = {"block_number": number, "block_hash": head.block_hash}
            wait_until(lambda: store.count("ingest_windows", where), f"the stored window of {number}")
        return head

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
            process.wait(30)
