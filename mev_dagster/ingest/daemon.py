"""The ingest daemon: lanes, queue, pipeline, event log, store and HTTP, wired in one visible place.

    task        reads             writes              when it fails
    lanes       node, capture     queue               restarts with back-off, a gap in the log
    consume     queue             event log           the daemon ends: nothing may pass unlogged
    feed        event log         store               retries with back-off, the backlog grows
    serve       metrics, health   HTTP                the daemon ends
    probe       the clock         loop-lag metric     the daemon ends
    take up     runs' reports     their sums          the reports wait

SIGTERM and SIGINT stop the lanes, drain the queue into the log, seal it and let the store catch up.
"""

import asyncio
import random
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from mev_dagster.errors import PluginFailed, StoreError, StoreUnreachable
from mev_dagster.events.log import EventLogReader, EventLogWriter
from mev_dagster.events.manifest import prunable, read_manifest
from mev_dagster.events.types import BlockSeen, Event, Lane, LaneState, LaneStatus, source_name
from mev_dagster.evm.recheck import kept_inputs
from mev_dagster.ingest.alert_inbox import AlertInbox
from mev_dagster.ingest.arrivals import UNLOGGED, Arrival, BlockArrived
from mev_dagster.ingest.backlog_age import BacklogAge
from mev_dagster.ingest.executability import Executability, Stopped
from mev_dagster.ingest.feeder import BATCH_EVENTS, StoreFeeder
from mev_dagster.ingest.head_lags import HeadLags
from mev_dagster.ingest.heard_runs import HeardRuns
from mev_dagster.ingest.http import GUARDED, DaemonCommands, Head, Heads, HttpServer, application
from mev_dagster.ingest.lanes.lane import IngestLane, LaneContext, LaneFactory
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.pipeline import Pipeline
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.ingest.restore import restore
from mev_dagster.ingest.supervisor import LaneSupervisor
from mev_dagster.ingest.tasks import run_all
from mev_dagster.node.identity import CHAIN_FILE, ChainPin
from mev_dagster.plugins import note
from mev_dagster.serving.doors import Door, Guarded, hosts_of
from mev_dagster.serving.listen import bind
from mev_dagster.serving.metrics import refusals
from mev_dagster.serving.token import home_token
from mev_dagster.settings import Settings
from mev_dagster.telemetry.alerts import Alert
from mev_dagster.telemetry.clock import Clock, SystemClock
from mev_dagster.telemetry.logging import logger
from mev_dagster.telemetry.metrics import process_registry
from mev_dagster.telemetry.retries import Retry
from mev_dagster.windows.bodies import BodyDecoder
from mev_dagster.windows.memory import DecodedTransactions

if TYPE_CHECKING:
    from mev_dagster.store.client import Store

ARRIVALS_PER_BATCH = 1_024  # undecoded ones keep the event loop for 80 us each
FEED_INTERVAL_SECONDS = 0.5  # rows of a quiet minute are at most this old
DRAIN_SECONDS = 20.0
READY_BACKLOG_EVENTS = 50_000
PROBE_SECONDS = 0.1
FORKS_SECONDS = 3_600.0
FED = Retry("store_feed", on=(StoreError, StoreUnreachable))

log = logger("ingest")


class IngestDaemon:
    """One daemon. `run` returns after a signal, or, with `once`, when every lane's source is exhausted."""

    def __init__(
        self,
        settings: Settings,
        lanes: Sequence[LaneFactory],
        connect_store: "Callable[[], Store]",
        *,
        clock: Clock | None = None,
        once: bool = False,
        rng: random.Random | None = None,
    ) -> None:
        self._settings = settings
        self._factories = lanes
        self._connect_store = connect_store
        self._clock = clock or SystemClock()
        self._once = once
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self.metrics = IngestMetrics(process_registry(self._clock))
        self._lags = HeadLags(self.metrics.registry, self._clock)
        self._backlog_age = BacklogAge(self._clock)
        self._heard_runs = HeardRuns(settings.home, self.metrics)
        self.port = 0
        self._started = time.monotonic()
        self._stopping = asyncio.Event()
        self._feed_now = asyncio.Event()
        self._writing = asyncio.Lock()  # the log's writer serves one thread at a time
        self._heads = Heads()
        self._store_error = ""
        self._executability = Executability(settings.evm.engine, settings.chain_id, self._tell_stopped)

    async def run(self) -> None:
        """Start everything, wait for the end, stop everything in the order that loses nothing."""
        listener = bind("ingest", self._settings.host, self._settings.ingest.port, "MEV_INGEST_PORT")
        self.port = listener.getsockname()[1]
        try:
            self._open_log()
        except BaseException:
            listener.close()
            raise
        commands = DaemonCommands(self._take_alerts, self._seal_log, self._prune_log)
        app = application(
            self.metrics.registry,
            self._heads,
            self.health,
            self.not_ready,
            commands,
            self._settings.home / "reports",
            stopped=self.stopped,
        )
        door = Door(hosts_of(self._settings.host), home_token(self._settings.home), GUARDED)
        server = HttpServer(Guarded(app, door, refusals(self.metrics.registry)))
        serving = asyncio.create_task(server.serve([listener]))
        consuming = asyncio.create_task(self._consume())
        feeding = asyncio.create_task(self._feed())
        running = asyncio.create_task(self._run_lanes())
        others = [
            asyncio.create_task(task)
            for task in (
                self._probe(),
                self._heard_runs.run(),
                self._wait_for_stop(),
                self._learn_forks(),
            )
        ]
        log.info("started", port=self.port, durable_seq=self._writer.durable_seq)
        try:
            with self._signals():
                ended, _ = await asyncio.wait(
                    {serving, consuming, feeding, running, *others}, return_when=asyncio.FIRST_COMPLETED
                )
        finally:
            await self._stop_lanes(running)
            self._queue.close()
            await asyncio.gather(consuming, return_exceptions=True)
            self.stop()
            self._feed_now.set()
            await asyncio.wait({feeding}, timeout=None if self._once else DRAIN_SECONDS)
            server.should_exit = True
            for task in (feeding, *others):
                task.cancel()
            await asyncio.gather(serving, feeding, *others, return_exceptions=True)
            await asyncio.to_thread(self._close_log)
        for task in (consuming, *ended):
            task.result()
        log.info("stopped", durable_seq=self._writer.durable_seq, stored_seq=self._feeder.stored_seq)
        if self._once and self._feeder.stored_seq < self._writer.durable_seq:
            raise StoreError(
                f"events {self._feeder.stored_seq + 1} to {self._writer.durable_seq} are logged, "
                f"the store did not take them: {self._store_error}"
            )

    def stop(self) -> None:
        """Begin a graceful stop."""
        self._stopping.set()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT for as long as the daemon runs."""
        loop = asyncio.get_running_loop()
        names = (signal.SIGTERM, signal.SIGINT)
        for name in names:
            loop.add_signal_handler(name, self.stop)
        try:
            yield
        finally:
            for name in names:
                loop.remove_signal_handler(name)

    # What is told over HTTP

    def health(self) -> dict[str, Any]:
        """Describe the daemon."""
        head = self._heads.newest
        return {
            "lanes": {
                name: {
                    "connected": s.lane.connected,
                    "source": s.lane.source,
                    "last_error": s.last_error,
                }
                for name, s in self._named_lanes().items()
            },
            "durable_seq": self._writer.durable_seq,
            "stored_seq": self._feeder.stored_seq,
            "backlog": max(0, self._writer.durable_seq - self._feeder.stored_seq),
            "queue": {"depth": len(self._queue), "capacity": self._queue.capacity},
            "dropped": self._queue.dropped.total(),
            "head_block": head.number if head else None,
            "uptime_seconds": round(time.monotonic() - self._started, 3),
            "stopped": self.stopped(),
        }

    def stopped(self) -> list[dict[str, Any]]:
        """Name the stages that stand still, since when and why; the daemon itself goes on."""
        found = self._executability.stopped
        return [] if found is None else [found.as_dict()]

    def _tell_stopped(self, found: Stopped | None) -> None:
        gauge = self.metrics.execution_stopped
        gauge.clear()
        if found is not None:
            gauge.labels(found.code).set(len(found.stages))

    async def _learn_forks(self) -> None:
        """Ask the node now and then which forks its chain has scheduled."""
        url = self._settings.node_http_url
        while url is not None:
            await asyncio.to_thread(self._executability.learn, url)
            await asyncio.sleep(FORKS_SECONDS)
        await asyncio.Event().wait()

    def not_ready(self) -> list[str]:
        """Name what keeps the daemon from being ready: no lane delivers, or the store is far behind."""
        reasons = []
        if not any(supervisor.lane.connected or supervisor.finished for supervisor in self._supervisors):
            reasons.append("no lane is connected")
        backlog = self._writer.durable_seq - self._feeder.stored_seq
        if backlog > READY_BACKLOG_EVENTS:
            reasons.append(f"the store is {backlog} events behind the log")
        return reasons

    # What it is told over HTTP

    def _take_alerts(self, alerts: list[Alert]) -> int:
        inbox, now_ns = AlertInbox(self._settings.home), self._clock.wall_ns()
        firing = [alert for alert in alerts if alert.ends_ns is None]
        return sum(inbox.post(alert, now_ns) for alert in firing)

    async def _seal_log(self) -> dict[str, Any]:
        async with self._writing:
            await asyncio.to_thread(self._writer.seal)
        return {"durable_seq": self._writer.durable_seq}

    async def _prune_log(self, before_wall_ns: int, dry_run: bool) -> dict[str, Any]:
        """Let sealed segments go that are older and wholly stored: what the store lacks stays."""
        stored = self._feeder.stored_seq
        old = prunable(read_manifest(self._settings.events_dir), before_wall_ns, stored)
        if old and not dry_run:
            async with self._writing:
                await asyncio.to_thread(self._writer.prune, old[-1].last_wall_ns + 1)
        return {"segments": [segment.name for segment in old], "bytes": sum(one.bytes for one in old)}

    # The log

    def _open_log(self) -> None:
        settings = self._settings
        self._writer = EventLogWriter(
            settings.events_dir,
            segment_bytes=settings.events.segment_bytes,
            segment_seconds=settings.events.segment_seconds,
            fsync_interval_ms=settings.events.fsync_interval_ms,
        )
        if self._writer.torn_tail is not None:
            log.warning("torn tail cut", tail=str(self._writer.torn_tail))
        decoded = DecodedTransactions()
        pin = ChainPin(settings.events_dir / CHAIN_FILE, chain_id=settings.chain_id)
        self._pipeline = Pipeline(self.metrics, decoded=decoded, pin=pin)
        last_seq = restore(self._pipeline, EventLogReader(settings.events_dir))
        self._queue = ArrivalQueue(settings.ingest.queue_events, on_drop=self.metrics.count_drop)
        self._feeder = StoreFeeder(
            settings.events_dir,
            self._connect_store,
            self.metrics,
            self._clock,
            BodyDecoder(known=decoded),
            self._lags,
            pin=pin,
        )
        context = partial(
            LaneContext,
            self._clock,
            knows=self._pipeline.knows,
            decoded=decoded,
            registry=self.metrics.registry,
            pin=pin,
        )
        self._supervisors = [
            LaneSupervisor(
                lane,
                self._queue,
                self.metrics,
                self._clock,
                rng=self._rng,
                restart=not self._once,
            )
            for lane in _lanes(self._factories, lambda: context(self._pipeline.chain.copy()))
        ]
        self.metrics.name_private_lanes(
            source_name(supervisor.lane.source)
            for supervisor in self._supervisors
            if supervisor.lane.kind is Lane.PRIVATE
        )
        self._continues = last_seq >= 0
        self.metrics.durable_seq.set(last_seq)
        self.metrics.queue_capacity.set(self._queue.capacity)
        self.metrics.queue_depth.set_function(lambda: len(self._queue))
        self.metrics.backlog.set_function(lambda: max(0, self._writer.durable_seq - self._feeder.stored_seq))
        self.metrics.backlog_age.set_function(lambda: self._backlog_age.seconds(self._feeder.stored_seq))
        self.metrics.head_age.set_function(self._lags.age.seconds)
        self.metrics.engine_mismatches.set_function(partial(kept_inputs, settings.mismatch_dir))
        alike: defaultdict[str, list[IngestLane]] = defaultdict(list)
        for lane in (supervisor.lane for supervisor in self._supervisors):
            alike[self.metrics.lane_label(lane.kind, lane.source)].append(lane)
        for label, lanes in alike.items():
            self.metrics.lane_up.labels(label).set_function(partial(_is_connected, lanes))

    def _named_lanes(self) -> dict[str, LaneSupervisor]:
        """Return the lanes by what they are called; a second one of a kind has its source behind it."""
        named: dict[str, LaneSupervisor] = {}
        for one in self._supervisors:
            label = self.metrics.lane_label(one.lane.kind, one.lane.source)
            named[f"{label} {one.lane.source}" if label in named else label] = one
        return named

    def _close_log(self) -> None:
        self._feeder.close()
        self._writer.seal()
        self._writer.close()

    # The tasks

    async def _run_lanes(self) -> None:
        if self._continues:
            for supervisor in self._supervisors:
                if supervisor.lane.kind is not Lane.CAPTURE:
                    await self._queue.put(
                        self._status(supervisor.lane, LaneState.GAP, "the daemon was not running")
                    )
        await run_all(*(supervisor.run() for supervisor in self._supervisors))
        if not self._once:
            await self._stopping.wait()

    async def _wait_for_stop(self) -> None:
        await self._stopping.wait()

    async def _stop_lanes(self, running: "asyncio.Task[None]") -> None:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        for supervisor in self._supervisors:
            if supervisor.lane.connected and supervisor.lane.kind is not Lane.CAPTURE:
                self._queue.offer(self._status(supervisor.lane, LaneState.DISCONNECTED, "the daemon stops"))

    async def _consume(self) -> None:
        interval = self._settings.events.fsync_interval_ms / 1000
        while batch := await self._queue.take(ARRIVALS_PER_BATCH):
            started = time.monotonic()
            batch.extend(self._drops())
            self._lags.fetched(batch)
            events = self._pipeline.accept(batch)
            for arrival in batch:
                if isinstance(arrival, BlockArrived):
                    self._executability.saw(arrival.block)
            if not events:
                continue
            async with self._writing:
                await asyncio.to_thread(self._append, events)
            await self._logged(events)
            # Group commit: what arrives within the interval shares the next sync.
            await asyncio.sleep(max(0.0, interval - (time.monotonic() - started)))

    def _append(self, events: list[Event]) -> None:
        with self.metrics.commit_seconds.time():
            self._writer.append_many(events)
            self._writer.commit()

    async def _logged(self, events: list[Event]) -> None:
        durable = self._writer.durable_seq
        self.metrics.durable_seq.set(durable)
        self.metrics.count_events(events)
        self._backlog_age.logged(durable)
        for offset, event in enumerate(events, start=durable + 1 - len(events)):
            if isinstance(event, BlockSeen):
                self._lags.logged(offset, event)
                await self._heads.announce(Head(event.number, event.block_hash, offset))
                self._feed_now.set()
        if durable - self._feeder.stored_seq >= BATCH_EVENTS:
            self._feed_now.set()

    def _drops(self) -> list[Arrival]:
        stamp = (UNLOGGED, self._clock.wall_ns(), self._clock.mono_ns())
        return [
            LaneStatus(*stamp, lane, source, LaneState.DROPPED, reason, count)
            for (lane, source, reason), count in self._queue.unreported_drops().items()
        ]

    async def _feed(self) -> None:
        while True:
            fed = FED.asynchronous(
                self._clock, rng=self._rng, sleep=self._pause, registry=self.metrics.registry
            )
            step: tuple[int, bool] = await fed(self._feed_once)
            count, stopping = step
            if count == 0 and stopping:
                return
            if count < BATCH_EVENTS and not stopping:
                await self._pause(FEED_INTERVAL_SECONDS)

    async def _feed_once(self) -> tuple[int, bool]:
        """Hand the store a batch; return its size, and whether the daemon was stopping when it was taken.

        A store that is lost while the daemon stops counts as fed: the log keeps what it has not got.
        """
        stopping = self._stopping.is_set()
        self._feed_now.clear()
        try:
            return await asyncio.to_thread(self._feeder.step), stopping
        except (StoreError, StoreUnreachable) as error:
            self._store_error = str(error)
            self.metrics.store_failures.inc()
            log.warning("store lost", error=error, backlog=self.health()["backlog"])
            if stopping:
                return 0, stopping
            raise

    async def _pause(self, seconds: float) -> None:
        """Wait until there is a reason to feed, at most `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._feed_now.wait()

    async def _probe(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(PROBE_SECONDS)
            self.metrics.loop_lag.observe(max(0.0, time.monotonic() - before - PROBE_SECONDS))

    def _status(self, lane: IngestLane, state: LaneState, reason: str) -> LaneStatus:
        stamp = (UNLOGGED, self._clock.wall_ns(), self._clock.mono_ns(), lane.kind, lane.source)
        return LaneStatus(*stamp, state, reason)


def _is_connected(lanes: Sequence[IngestLane]) -> float:
    return float(any(lane.connected for lane in lanes))


def _lanes(factories: Sequence[LaneFactory], context: Callable[[], LaneContext]) -> Iterator[IngestLane]:
    """Yield the lanes; one of another package that cannot be made is left out, named and counted."""
    for factory in factories:
        try:
            yield factory(context())
        except PluginFailed as failure:
            note(failure)
