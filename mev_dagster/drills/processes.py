"""Processes of the platform as children of a drill, in its own folder: nothing else is touched."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import psutil
from prometheus_client.parser import text_string_to_metric_families

import mev_dagster
from mev_dagster.errors import PlatformUnreachable

START_SECONDS = 90.0
STOP_SECONDS = 60.0
POLL_SECONDS = 0.05

T = TypeVar("T")
Metrics = dict[str, list[tuple[dict[str, str], float]]]  # sample name -> (labels, value)


def wait_until(condition: Callable[[], T], what: str, seconds: float = START_SECONDS) -> T:
    """Poll until something is true and return it; raises `PlatformUnreachable` when it takes too long."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise PlatformUnreachable(f"waited {seconds:g} s for {what}")
        time.sleep(POLL_SECONDS)
    return value


def free_port() -> int:
    """Return a loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class MevProcess:
    """`mev ARGUMENTS` in `home`. No setting of the caller's environment reaches it."""

    def __init__(self, home: Path, *arguments: str, **settings: object) -> None:
        self.home = home
        self._arguments, self._settings = arguments, settings
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self.start()
        except BaseException:
            self.kill()
            raise

    def start(self) -> None:
        """Start it, or start it again."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MEV_")}
        source = str(Path(mev_dagster.__file__).resolve().parents[1])
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (source, environment.get("PYTHONPATH"))))
        environment["MEV_HOME"] = str(self.home)
        environment.update({f"MEV_{name.upper()}": str(value) for name, value in self._settings.items()})
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mev_dagster", *self._arguments],
                cwd=self.home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The running process."""
        assert self._process is not None, "start comes first"
        return self._process

    @property
    def rss_bytes(self) -> int:
        """Resident memory."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def check_alive(self) -> None:
        """Raise `PlatformUnreachable` with the log's last line when it has ended."""
        if (status := self.process.poll()) is not None:
            last = self._log_path.read_text(errors="replace").strip().splitlines()[-1:] or ["no output"]
            raise PlatformUnreachable(f"mev {self._arguments[0]} ended with status {status}: {last[0]}")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """Ask it to end, wait, and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        return int(self.process.returncode)

    @property
    def _log_path(self) -> Path:
        return self.home / f"{self._arguments[0]}.log"


class StoreProcess(MevProcess):
    """`mev store serve`."""

    def __init__(self, home: Path) -> None:
        self._advertisement = home / "store.json"
        super().__init__(home, "store", "serve", "--port", str(free_port()))

    def start(self) -> None:
        """Start it and wait until it says where it is."""
        self._advertisement.unlink(missing_ok=True)
        super().start()
        wait_until(self._is_up, "the store")

    def _is_up(self) -> bool:
        self.check_alive()
        return self._advertisement.exists()


class IngestProcess(MevProcess):
    """`mev ingest`."""

    def __init__(self, home: Path, *arguments: str, **settings: object) -> None:
        self.port = free_port()
        super().__init__(home, "ingest", *arguments, "--port", str(self.port), **settings)

    def health(self) -> dict[str, Any]:
        """Return /healthz; nothing while it does not serve yet."""
        self.check_alive()
        try:
            return dict(msgspec.json.decode(self._get("/healthz")))
        except OSError:
            return {}

    def is_connected(self, *lanes: str) -> bool:
        """Say whether all these lanes deliver."""
        found = self.health().get("lanes", {})
        return all(found.get(name, {}).get("connected") for name in lanes)

    def metrics(self) -> Metrics:
        """Return every sample of /metrics."""
        found: Metrics = {}
        for family in text_string_to_metric_families(self._get("/metrics").decode()):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
        return found

    def _get(self, path: str) -> bytes:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            return bytes(error.read())


def by_label(metrics: Metrics, name: str, *labels: str) -> dict[str, int]:
    """Return a counter's values above zero by some of its labels, largest first."""
    found = {
        "/".join(sample[label] for label in labels): int(value)
        for sample, value in metrics.get(name, [])
        if value > 0
    }
    return dict(sorted(found.items(), key=lambda entry: (-entry[1], entry[0])))


def quantile(metrics: Metrics, histogram: str, share: float) -> float | None:
    """Return the upper bound of the bucket in which a quantile of a histogram lies."""
    buckets = sorted((float(labels["le"]), count) for labels, count in metrics.get(f"{histogram}_bucket", []))
    if not buckets or buckets[-1][1] == 0:
        return None
    return next(bound for bound, count in buckets if count >= share * buckets[-1][1])
