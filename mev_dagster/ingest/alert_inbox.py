"""Alerts on their way to the sensor: a folder of small files, so that a firing alert outlives every process.

    inbox.post(alert)     # durable when it returns; the same alert again changes nothing
    inbox.waiting()       # oldest first
    inbox.done(alert)     # remembered, so that Alertmanager's repeats are no news

The store is no place for this: its being down is what an alert may be about.
"""

import os
from dataclasses import asdict
from pathlib import Path

import msgspec

from mev_dagster.errors import QueueFull
from mev_dagster.telemetry.alerts import Alert

MAX_WAITING = 1024


class WaitingAlert(msgspec.Struct, frozen=True):
    """An alert and when it came in."""

    labels: dict[str, str]
    summary: str
    starts_ns: int
    ends_ns: int | None
    source: str
    received_ns: int

    @property
    def alert(self) -> Alert:
        """Return the alert itself."""
        return Alert(self.labels, self.summary, self.starts_ns, self.ends_ns, self.source)


class AlertInbox:
    """The folder `home/alerts`."""

    def __init__(self, home: Path) -> None:
        self._waiting, self._done = home / "alerts" / "waiting", home / "alerts" / "done"

    def post(self, alert: Alert, received_ns: int) -> bool:
        """Keep a firing alert; False when it is known already. Raises `QueueFull` when too many wait."""
        name = f"{alert.id.hex()}.json"
        if (self._waiting / name).exists() or (self._done / name).exists():
            return False
        self._waiting.mkdir(parents=True, exist_ok=True)
        if sum(1 for _ in self._waiting.glob("*.json")) >= MAX_WAITING:
            raise QueueFull(f"{MAX_WAITING} alerts wait already; is the alert sensor running?")
        stored = {**asdict(alert), "labels": dict(alert.labels), "received_ns": received_ns}
        draft = self._waiting / f"{name}.{os.getpid()}"
        with draft.open("wb") as file:
            file.write(msgspec.json.encode(stored))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._waiting / name)
        return True

    def waiting(self) -> list[WaitingAlert]:
        """Return what waits, oldest first; a file that does not parse is set aside as done."""
        found = []
        for path in sorted(self._waiting.glob("*.json")):
            try:
                found.append(msgspec.json.decode(path.read_bytes(), type=WaitingAlert))
            except msgspec.DecodeError:
                self._set_aside(path)
        return sorted(found, key=lambda one: (one.received_ns, one.alert.id))

    def done(self, alert_id: bytes) -> None:
        """Take an alert out of the queue and remember it."""
        path = self._waiting / f"{alert_id.hex()}.json"
        if path.exists():
            self._set_aside(path)

    def forget(self, before_ns: int, *, dry_run: bool = False) -> int:
        """Forget alerts that were done with before; return how many."""
        old = [path for path in self._done.glob("*.json") if path.stat().st_mtime_ns < before_ns]
        for path in [] if dry_run else old:
            path.unlink()
        return len(old)

    def _set_aside(self, path: Path) -> None:
        self._done.mkdir(parents=True, exist_ok=True)
        os.utime(path)
        path.replace(self._done / path.name)
