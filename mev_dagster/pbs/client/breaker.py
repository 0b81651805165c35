"""The circuit breaker of one relay endpoint: it stops trying a relay that keeps failing, across runs.

The rules are a frozen value; where it is remembered is handed in: in memory for a command, in a small file
under the home for block runs, each of which is a process of its own. Nothing here waits or locks: two runs
that write at once lose at most one count.
"""

import hashlib
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import msgspec

from mev_dagster.pbs.client.answers import AnswerClass
from mev_dagster.telemetry.logging import logger

THRESHOLD = 5
MAX_ENDPOINTS = 64
MAX_FILE_BYTES = 4_096
FAILURES = frozenset({AnswerClass.TRANSIENT, AnswerClass.SERVER_ERROR})
log = logger("pbs.client")


@dataclass(frozen=True, slots=True)
class BreakerState:
    """How often in a row the relay has failed, and the slot that last probed it while it was given up."""

    failures: int = 0
    probed_slot: int = -1

    def after(self, outcome: AnswerClass) -> "BreakerState":
        """Count a failure, or forget them all after an answer; a request for patience is neither."""
        if outcome is AnswerClass.NOT_YET:
            return self
        if outcome in FAILURES:
            return replace(self, failures=min(self.failures + 1, 1 << 30))
        return replace(self, failures=0)


class BreakerMemory(Protocol):
    """Where a breaker's state is kept between two submissions."""

    def read(self) -> BreakerState:
        """Return the state, a fresh one where none is known."""
        ...

    def write(self, state: BreakerState) -> None:
        """Keep the state."""
        ...


@dataclass(slots=True)
class ProcessMemory:
    """State that ends with the process."""

    state: BreakerState = field(default_factory=BreakerState)

    def read(self) -> BreakerState:
        """Return the state."""
        return self.state

    def write(self, state: BreakerState) -> None:
        """Keep the state."""
        self.state = state


class _Stored(msgspec.Struct, frozen=True):
    url: str
    failures: int
    probed_slot: int


class FileMemory:
    """State in one small file an endpoint, replaced whole; trouble with the file is said, not raised."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._url = url
        self._path = folder / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.json"

    def read(self) -> BreakerState:
        """Return the state; a fresh one where there is no file, or one that nobody can read."""
        try:
            with self._path.open("rb") as file:
                stored = msgspec.json.decode(file.read(MAX_FILE_BYTES), type=_Stored)
        except FileNotFoundError:
            return BreakerState()
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            self._say("starts_anew", error)
            return BreakerState()
        if stored.url != self._url or stored.failures < 0:
            self._say("starts_anew", "the state of another endpoint")
            return BreakerState()
        return BreakerState(stored.failures, stored.probed_slot)

    def write(self, state: BreakerState) -> None:
        """Replace the file; the endpoints that were used longest ago make room for new ones."""
        made = self._path.with_suffix(f".{os.getpid()}.new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            made.write_bytes(msgspec.json.encode(_Stored(self._url, state.failures, state.probed_slot)))
            made.replace(self._path)
            self._make_room()
        except OSError as error:
            self._say("not_remembered", error)

    def _say(self, what: str, why: object) -> None:
        log.warning(f"breaker_{what}", relay=self._url, file=str(self._path), why=str(why))

    def _make_room(self) -> None:
        kept = list(self._folder.glob("*.json"))
        if len(kept) > MAX_ENDPOINTS:
            aged = sorted((path.stat().st_mtime_ns, path.name) for path in kept)
            for _, name in aged[: len(kept) - MAX_ENDPOINTS]:
                (self._folder / name).unlink(missing_ok=True)


class CircuitBreaker:
    """Stops trying a relay that keeps failing; one probe a slot finds out whether it is back."""

    def __init__(self, memory: BreakerMemory | None = None, *, threshold: int = THRESHOLD) -> None:
        self._memory = memory or ProcessMemory()
        self._threshold = threshold

    @property
    def is_open(self) -> bool:
        """Whether the relay is given up but for its probes."""
        return self._memory.read().failures >= self._threshold

    def allows(self, slot: int) -> bool:
        """Say whether this slot may be tried; an open breaker lets one probe of each slot through."""
        state = self._memory.read()
        if state.failures < self._threshold:
            return True
        if slot == state.probed_slot:
            return False
        self._memory.write(replace(state, probed_slot=slot))
        return True

    def record(self, outcome: AnswerClass) -> None:
        """Count a failure of the relay, or forget them all after an answer."""
        state = self._memory.read()
        later = state.after(outcome)
        if later != state:
            self._memory.write(later)
