"""`mev soak p2p`: hybrid ingest under churn for minutes; everything that honest peers announced arrives."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mev_dagster.drills.hybrid import TICK_SECONDS, HybridStage, hybrid_stage
from mev_dagster.drills.memory import MIB, Memory
from mev_dagster.drills.peers import DrillPeer
from mev_dagster.drills.processes import Metrics, by_label, quantile
from mev_dagster.windows.coverage import Coverage, measure

MARKS = 12  # how often a figure is shown in one run
SAMPLE_SECONDS = 5.0
SETTLE_SECONDS = 60.0
DOWN_SECONDS = 1.5  # how long a restarted peer is away
RESTARTS = 0.3  # share of churn that stops the peer's listening too


@dataclass(frozen=True, slots=True)
class SoakOptions:
    """How long, how much, and how often a peer goes away."""

    minutes: float
    per_second: float = 20.0
    churn_per_minute: float = 6.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Mark:
    """How it stands at one moment. What was announced a second ago may still be on its way."""

    minute: float
    announced: int
    delivered: int
    rss_mib: float
    churned: int


@dataclass(frozen=True, slots=True)
class SoakReport:
    """What came of it. `lost` is what honest peers announced and the store does not hold."""

    minutes: float
    events: int
    announced: int
    delivered: int
    peers_only: int
    peers_only_delivered: int
    lost: int
    churned: int
    coverage: Coverage | None
    rss: list[Mark]
    rss_slope: float
    rss_level: bool | None
    loop_lag_p99_ms: float | None
    dropped: dict[str, int]
    disconnects: dict[str, int]
    violations: dict[str, int]
    daemon_exit: int

    @property
    def ok(self) -> bool:
        """Nothing lost, both lanes heard, memory level where it was judged, and the daemon ended well."""
        lanes = self.coverage.lanes if self.coverage else ()
        return (
            self.lost == 0
            and {one.lane.partition("/")[0] for one in lanes if one.seen} == {"p2p", "rpc"}
            and self.rss_level is not False
            and self.daemon_exit == 0
        )


async def soak_p2p(home: Path, options: SoakOptions, on_mark: Callable[[Mark], None]) -> SoakReport:
    """Run the soak in a new folder."""
    async with hybrid_stage(home, per_second=options.per_second, seed=options.seed) as stage:
        run = _Run(stage, options, on_mark)
        await run.traffic()
        missing = await asyncio.to_thread(run.settle)
        metrics = await asyncio.to_thread(stage.daemon.metrics)
        await asyncio.to_thread(run.close_window)
        return await asyncio.to_thread(run.report, missing, metrics)


class _Run:
    """One soak: sends, pulls plugs, samples."""

    def __init__(self, stage: HybridStage, options: SoakOptions, on_mark: Callable[[Mark], None]) -> None:
        self._stage, self._options, self._on_mark = stage, options, on_mark
        self._memory = Memory()
        self._marks: list[Mark] = []
        self._churned = 0
        self._away: set[asyncio.Task[None]] = set()

    async def traffic(self) -> None:
        """Keep the traffic and the churn going for the whole time."""
        started = last = time.monotonic()
        length = self._options.minutes * 60
        next_sample = 0.0
        while (elapsed := time.monotonic() - started) < length:
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            await self._stage.send(now - last, self._options.per_second)
            self._churn(now - last)
            last = now
            if elapsed >= next_sample:
                next_sample += SAMPLE_SECONDS
                self._stage.daemon.check_alive()
                self._memory.add(elapsed, self._stage.daemon.rss_bytes)
            if elapsed >= length * (len(self._marks) + 1) / MARKS:
                await self._mark(elapsed)
        await asyncio.gather(*self._away)
        await self._mark(length)

    def _churn(self, seconds: float) -> None:
        stage = self._stage
        if stage.rng.random() >= self._options.churn_per_minute * seconds / 60:
            return
        peer = stage.rng.choice(stage.honest)
        self._churned += 1
        if stage.rng.random() < RESTARTS and not self._away:
            restart = asyncio.create_task(_restart(peer))
            self._away.add(restart)
            restart.add_done_callback(self._away.discard)
        else:
            peer.pull_plug()

    async def _mark(self, elapsed: float) -> None:
        announced = set(self._stage.announced.honest)
        missing = await asyncio.to_thread(self._stage.missing, announced)
        rss = self._stage.daemon.rss_bytes
        delivered = len(announced) - len(missing)
        mark = Mark(round(elapsed / 60, 2), len(announced), delivered, round(rss / MIB, 1), self._churned)
        self._marks.append(mark)
        self._on_mark(mark)

    def settle(self) -> set[bytes]:
        """Wait until nothing is missing, or for as long as can be asked; return what is missing then."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while (missing := self._stage.missing(self._stage.announced.honest)) and time.monotonic() < deadline:
            time.sleep(1.0)
        return missing

    def close_window(self) -> None:
        """Close the last window with a block, and wait until the store holds it: coverage counts windows."""
        number, deadline = self._stage.mine(), time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            health = self._stage.daemon.health()
            if (health.get("head_block") or 0) >= number and health["backlog"] == 0:
                return
            time.sleep(0.5)

    def report(self, missing: set[bytes], metrics: Metrics) -> SoakReport:
        """Stop the daemon and sum up."""
        stage, announced = self._stage, self._stage.announced
        health = stage.daemon.health()
        daemon_exit = stage.daemon.stop()
        with stage.open_store() as store:
            coverage = measure(store)
        lag = quantile(metrics, "mev_loop_lag_seconds", 0.99)
        return SoakReport(
            minutes=self._options.minutes,
            events=int(health["durable_seq"]) + 1,
            announced=len(announced.honest),
            delivered=len(announced.honest - missing),
            peers_only=len(announced.peers_only),
            peers_only_delivered=len(announced.peers_only - missing),
            lost=len(missing),
            churned=self._churned,
            coverage=coverage,
            rss=self._marks,
            rss_slope=round(self._memory.slope_mib_per_hour, 2),
            rss_level=self._memory.is_level,
            loop_lag_p99_ms=None if lag is None else lag * 1e3,
            dropped=by_label(metrics, "mev_ingest_dropped_total", "lane", "reason"),
            disconnects=by_label(metrics, "mev_p2p_disconnects_total", "reason"),
            violations=by_label(metrics, "mev_p2p_violations_total", "kind"),
            daemon_exit=daemon_exit,
        )


async def _restart(peer: DrillPeer) -> None:
    await peer.stop()
    await asyncio.sleep(DOWN_SECONDS)
    await peer.start()
