"""Real processes of the platform, started as a user starts them, on free ports in a folder of their own."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
from ingest_anvil import DEADLINE_SECONDS, free_port

ROOT = Path(__file__).resolve().parents[2]


def start(
    home: Path, *arguments: str, stdout: Any = subprocess.DEVNULL, **settings: object
) -> "subprocess.Popen[bytes]":
    """Start `mev ARGUMENTS` with its log in the home folder."""
    home.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "MEV_HOME": str(home)}
    environment.update({f"MEV_{name.upper()}": str(value) for name, value in settings.items()})
    return subprocess.Popen(
        [sys.executable, "-m", "mev_dagster", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=stdout,
        stderr=(home / f"{arguments[0]}.log").open("ab"),
    )


def wait_for(condition: Any, what: str, seconds: float = DEADLINE_SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        time.sleep(0.02)
    return value


class StoreServer:
    """`mev store serve`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process = start(home, "store", "serve", "--port", "0")
        wait_for((home / "store.json").exists, "the store server", 60)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


class Daemon:
    """`mev ingest`."""

    def __init__(self, home: Path, *arguments: str, **settings: object) -> None:
        self.home = home
        self.port = free_port()
        self.process = start(home, "ingest", *arguments, "--port", str(self.port), **settings)

    def get(self, path: str) -> tuple[int, Any]:
        import urllib.error
        import urllib.request

        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=70) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read()
        return status, body.decode() if path == "/metrics" else msgspec.json.decode(body)

    def health(self) -> dict[str, Any]:
        """Return /healthz, or nothing while the daemon does not serve yet."""
        try:
            return self.get("/healthz")[1]
        except OSError:
            assert self.process.poll() is None, self.log()
            return {}

    def log(self) -> str:
        return (self.home / "ingest.log").read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(60)
