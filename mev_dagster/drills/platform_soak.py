"""The whole platform behind a live node for minutes or an hour: what was missed, how late, how large it grew.

A devnet makes blocks with traffic; `mev up` follows it. For the second half of the time, if asked, the cold
lane is kept full with history: every block so far is run again and again, which is what a day's backfill does
to the live lane for as long as it takes.
"""

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from mev_dagster.bench.platform import Platform
from mev_dagster.errors import MevError, NodeUnreachable
from mev_dagster.store.client import Store, open_store
from mev_dagster.units import NS_PER_SECOND

SAMPLE_SECONDS = 5.0
WARM_UP_BLOCKS = 5
"""The first heads come while the platform starts; they count as blocks, not as lag."""
LATE_SECONDS = 60.0
"""How long after the last block its opportunities may take to be there at all."""
MOVED_BY_AT_MOST = 1.25
GROWN_BY_AT_MOST, GROWN_MIB_AT_MOST = 1.15, 24.0
UI_LIMIT_SECONDS = 2.0
BLOCKS_SQL = (resources.files("mev_dagster.drills") / "platform_blocks.sql").read_text()
UI_QUERY = """query { runsOrError(limit: 25) { ... on Runs { results { id status tags { key value } } } } }"""
ASSET_QUERY = """query { assetNodeOrError(assetKey: {path: ["opportunities"]}) { ... on AssetNode {
  assetMaterializations(limit: 25) { partition timestamp metadataEntries { label } } } } }"""


@dataclass(frozen=True, slots=True)
class Lags:
    """Seconds from a head to its stored opportunities."""

    blocks: int
    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Growth:
    """One process's resident memory, MiB: the median of the first samples and of the last."""

    start: float
    end: float

    @property
    def flat(self) -> bool:
        """Whether it grew no more than a warm process may."""
        return self.end <= max(self.start * GROWN_BY_AT_MOST, self.start + GROWN_MIB_AT_MOST)


@dataclass(frozen=True, slots=True)
class JudgedBlock:
    """A canonical block of the log: when its head was seen and its opportunities stored, None when missed."""

    number: int
    seen_ns: int
    finished_ns: int | None


@dataclass
class PlatformSoak:
    """What the soak showed."""

    minutes: float
    slot_seconds: int
    blocks: int = 0
    missed: list[int] = field(default_factory=list)
    alone: Lags | None = None
    beside_backfill: Lags | None = None
    backfills: int = 0
    backfill_failures: int = 0
    ui_p50_s: float = 0.0
    ui_p95_s: float = 0.0
    ui_failures: int = 0
    memory: dict[str, Growth] = field(default_factory=dict)

    @property
    def moved(self) -> float | None:
        """How many times as late a head is at the 95th percentile while history is run beside it."""
        if self.alone is None or self.beside_backfill is None or not self.alone.p95:
            return None
        return self.beside_backfill.p95 / self.alone.p95

    @property
    def promises(self) -> dict[str, bool]:
        """Each promise and whether it was kept."""
        kept = {
            "no missed block": self.blocks > 0 and not self.missed,
            f"UI p95 below {UI_LIMIT_SECONDS:g} s": not self.ui_failures and self.ui_p95_s < UI_LIMIT_SECONDS,
            "memory flat": all(one.flat for one in self.memory.values()),
        }
        if self.moved is not None:
            kept["backfill moves p95 by at most a quarter"] = self.moved <= MOVED_BY_AT_MOST
            kept["backfill failed nowhere"] = not self.backfill_failures
        return kept

    @property
    def ok(self) -> bool:
        """Whether every promise was kept."""
        return all(self.promises.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        return {**asdict(self), "moved": self.moved, "promises": self.promises, "ok": self.ok}


class _Watch:
    """Samples the platform until told to stop."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.asked: list[float] = []
        self.failures = 0
        self.rss: list[dict[str, float]] = []

    def sample(self) -> None:
        """Ask what the UI's runs page and an asset's page ask, and weigh the processes."""
        for query in (UI_QUERY, ASSET_QUERY):
            started = time.monotonic()
            try:
                self._platform.ask(query)
            except MevError:
                self.failures += 1
            self.asked.append(time.monotonic() - started)
        self.rss.append(self._platform.rss_mib())

    def growth(self) -> dict[str, Growth]:
        """Compare the first samples with the last; the first fifth is the processes warming up."""
        warm = self.rss[len(self.rss) // 5 :]
        part = max(len(warm) // 5, 1)
        return {
            name: Growth(
                statistics.median(one[name] for one in warm[:part]),
                statistics.median(one[name] for one in warm[-part:]),
            )
            for name in warm[0]
        }


def soak_platform(
    folder: Path, minutes: float, slot_seconds: int, *, backfill: bool, tell: Callable[[str], None]
) -> PlatformSoak:
    """Run the platform behind a devnet for so long and report."""
    found = PlatformSoak(minutes, slot_seconds)
    home = folder / "home"
    home.mkdir()
    with _devnet(folder, minutes, slot_seconds) as url, Platform(home, ("--rpc", url)) as platform:
        watch = _Watch(platform)
        began = time.monotonic()
        half = began + minutes * 30 if backfill else began + minutes * 60
        _watch_until(half, watch, platform, tell)
        beside_ns = time.time_ns()
        if backfill:
            _watch_beside_backfill(began + minutes * 60, watch, platform, tell, found)
        with open_store(platform.settings, in_process=False, migrate=False) as store:
            _account(store, found, beside_ns)
        found.ui_p50_s = statistics.median(watch.asked)
        found.ui_p95_s = _p95(watch.asked)
        found.ui_failures = watch.failures
        found.memory = watch.growth()
    return found


@contextmanager
def _devnet(folder: Path, minutes: float, slot_seconds: int) -> Iterator[str]:
    """Yield the address of a live devnet that outlasts the soak and the platform's start."""
    command = [sys.executable, "-m", "mev_dagster", "demo", "live"]
    command += ["--minutes", str(minutes + 10), "--slot-seconds", str(slot_seconds)]
    with (folder / "devnet.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        if not url:
            raise NodeUnreachable(f"the devnet did not start: {(folder / 'devnet.log').read_text()[-500:]}")
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # its node with it
        process.wait(30)


def _watch_until(end: float, watch: _Watch, platform: Platform, tell: Callable[[str], None]) -> None:
    told = time.monotonic()
    while time.monotonic() < end:
        watch.sample()
        if time.monotonic() - told > 60:
            told = time.monotonic()
            tell(_so_far(platform))
        time.sleep(max(min(SAMPLE_SECONDS, end - time.monotonic()), 0))


def _watch_beside_backfill(
    end: float, watch: _Watch, platform: Platform, tell: Callable[[str], None], found: PlatformSoak
) -> None:
    running: subprocess.Popen[bytes] | None = None
    while time.monotonic() < end:
        if running is None or running.poll() is not None:
            if running is not None:
                found.backfill_failures += running.returncode != 0
            with open_store(platform.settings, in_process=False, migrate=False) as store:
                searched = [block.number for block in _blocks(store) if block.finished_ns is not None]
            if not searched:
                raise MevError(
                    f"after half of the time no block has been searched; see {platform.settings.home}"
                )
            running = platform.start("store", "backfill", str(searched[0]), str(searched[-1]), "--again")
            found.backfills += 1
            tell(f"history: blocks {searched[0]} to {searched[-1]} once more in the cold lane")
        _watch_until(min(end, time.monotonic() + SAMPLE_SECONDS), watch, platform, tell)
    if running is not None and running.poll() is None:
        running.terminate()
        running.wait(30)


def _so_far(platform: Platform) -> str:
    with open_store(platform.settings, in_process=False, migrate=False) as store:
        blocks = _blocks(store)
    lags = _lags(blocks)
    waiting = sum(block.finished_ns is None for block in blocks)
    late = f"p50 {lags.p50:.2f} s, p95 {lags.p95:.2f} s" if lags else "none searched yet"
    return f"{len(blocks)} blocks, {waiting} waiting; block to opportunities {late}"


def _account(store: Store, found: PlatformSoak, beside_ns: int) -> None:
    """Wait for the last heads' runs, then count."""
    last = max((block.number for block in _blocks(store)), default=0)
    deadline = time.monotonic() + LATE_SECONDS
    while True:
        blocks = [block for block in _blocks(store) if block.number <= last]
        if all(block.finished_ns is not None for block in blocks) or time.monotonic() > deadline:
            break
        time.sleep(1.0)
    found.blocks = len(blocks)
    found.missed = [block.number for block in blocks if block.finished_ns is None]
    heads = blocks[WARM_UP_BLOCKS:]
    found.alone = _lags([block for block in heads if block.seen_ns < beside_ns])
    found.beside_backfill = _lags([block for block in heads if block.seen_ns >= beside_ns])


def _blocks(store: Store) -> list[JudgedBlock]:
    return [
        JudgedBlock(int(number), int(seen), int(finished) if live else None)
        for number, seen, finished, live in store.rows(BLOCKS_SQL)
    ]


def _lags(blocks: Sequence[JudgedBlock]) -> Lags | None:
    seconds = [
        (one.finished_ns - one.seen_ns) / NS_PER_SECOND for one in blocks if one.finished_ns is not None
    ]
    return Lags(len(seconds), statistics.median(seconds), _p95(seconds)) if seconds else None


def _p95(values: Sequence[float]) -> float:
    ranked = sorted(values)
    return ranked[max(-(-len(ranked) * 95 // 100) - 1, 0)]
