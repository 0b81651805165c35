"""The ingest daemon: lanes, queue, pipeline, event log, store and HTTP, wired in one visible place.

    task        reads             writes              when it fails
    lanes       node, capture     queue               restarts with back-off, a gap in the log
    log         queue             event log           the daemon ends: nothing may pass unlogged
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from mev_dagster.errors import InputError, MevError, StoreError
from mev_dagster.events.log import EventLogReader
from mev_dagster.events.types import BlockSeen, Event
from mev_dagster.evm.recheck import kept_inputs
from mev_dagster.ingest.alert_inbox import AlertInbox
from mev_dagster.ingest.arrivals import Arrival, BlockArrived
from mev_dagster.ingest.backlog_age import BacklogAge
from mev_dagster.ingest.executability import Executability, Stopped
from mev_dagster.ingest.feeder import BATCH_EVENTS, StoreFeeder
from mev_dagster.ingest.head_lags import HeadLags
from mev_dagster.ingest.heard_runs import HeardRuns
from mev_dagster.ingest.http import GUARDED, DaemonCommands, Head, Heads, HttpServer, application
from mev_dagster.ingest.lane_set import LaneSet
from mev_dagster.ingest.lanes.lane import LaneContext, LaneFactory
from mev_dagster.ingest.log_feed import LogFeed, open_writer
from mev_dagster.ingest.memory import give_memory_back
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.newest import NewestResults
from mev_dagster.ingest.pipeline import Pipeline
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.ingest.rates import Rates
from mev_dagster.ingest.restore import restore
from mev_dagster.ingest.store_feed import StoreFeed
from mev_dagster.node.identity import CHAIN_FILE, ChainPin
from mev_dagster.serving.doors import Door, Guarded, hosts_of
from mev_dagster.serving.listen import bind
from mev_dagster.serving.metrics import refusals
from mev_dagster.serving.token import home_token
from mev_dagster.settings import Settings
from mev_dagster.telemetry.alerts import Alert
from mev_dagster.telemetry.clock import Clock, SystemClock
from mev_dagster.telemetry.logging import logger
from mev_dagster.telemetry.metrics import process_registry
from mev_dagster.windows.bodies import BodyDecoder
from mev_dagster.windows.memory import DecodedTransactions

if TYPE_CHECKING:
    from mev_dagster.store.client import Store

DRAIN_SECONDS = 20.0
SLOT_SECONDS = 12.0
READY_BACKLOG_EVENTS = 50_000
PROBE_SECONDS = 0.1
FORKS_SECONDS = 3_600.0

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
        lanes_again: "Callable[[], Sequence[LaneFactory]] | None" = None,
    ) -> None:
        self._settings = settings
        self._lanes_again = lanes_again
        self._reloading: asyncio.Task[Any] | None = None
        self._factories = lanes
        self._connect_store = connect_store
        self._clock = clock or SystemClock()
        self._once = once
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self.metrics = IngestMetrics(process_registry(self._clock))
        self._lags = HeadLags(self.metrics.registry, self._clock)
        self._backlog_age = BacklogAge(self._clock)
        self._rates = Rates(self._clock)
        self._newest = NewestResults(connect_store)
        self._heard_runs = HeardRuns(settings.home, self.metrics)
        self.port = 0
        self._started = time.monotonic()
        self._stopping = asyncio.Event()
        self._heads = Heads()
        self._executability = Executability(settings.evm.engine, settings.chain_id, self._tell_stopped)

    async def run(self) -> None:
        """Start everything, wait for the end, stop everything in the order that loses nothing."""
        listener = bind("ingest", self._settings.host, self._settings.ingest.port, "MEV_INGEST_PORT")
        self.port = listener.getsockname()[1]
        try:
            self._open()
        except BaseException:
            listener.close()
            raise
        server = self._server()
        serving = asyncio.create_task(server.serve([listener]))
        writing = asyncio.create_task(self._logging.run(self._arrived, self._logged))
        feeding = asyncio.create_task(self._storing.run())
        running = asyncio.create_task(self._run_lanes())
        others = [
            asyncio.create_task(task)
            for task in (
                self._probe(),
                self._heard_runs.run(),
                self._wait_for_stop(),
                self._learn_forks(),
                give_memory_back(),
            )
        ]
        log.info("started", port=self.port, durable_seq=self._logging.durable_seq)
        try:
            with self._signals():
                ended, _ = await asyncio.wait(
                    {serving, writing, feeding, running, *others}, return_when=asyncio.FIRST_COMPLETED
                )
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            self._lanes.say_stopped()
            self._queue.close()
            await asyncio.gather(writing, return_exceptions=True)
            self.stop()
            self._storing.stop()
            await asyncio.wait({feeding}, timeout=None if self._once else DRAIN_SECONDS)
            server.should_exit = True
            for task in (feeding, *others):
                task.cancel()
            await asyncio.gather(serving, feeding, *others, return_exceptions=True)
            await self._newest.close()
            await asyncio.to_thread(self._close)
        for task in (writing, *ended):
            task.result()
        stored_seq, durable_seq = self._storing.stored_seq, self._logging.durable_seq
        log.info("stopped", durable_seq=durable_seq, stored_seq=stored_seq)
        if self._once and stored_seq < durable_seq:
            raise StoreError(
                f"events {stored_seq + 1} to {durable_seq} are logged, "
                f"the store did not take them: {self._storing.error}"
            )

    def stop(self) -> None:
        """Begin a graceful stop."""
        self._stopping.set()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT, read the lanes again on SIGHUP, for as long as the daemon runs."""
        loop = asyncio.get_running_loop()
        handlers = {
            signal.SIGTERM: self.stop,
            signal.SIGINT: self.stop,
            signal.SIGHUP: self._hang_up,
        }
        for name, handler in handlers.items():
            loop.add_signal_handler(name, handler)
        try:
            yield
        finally:
            for name in handlers:
                loop.remove_signal_handler(name)

    def _hang_up(self) -> None:
        async def reload() -> None:
            with suppress(MevError):  # the log has it
                await self._reload()

        self._reloading = asyncio.get_running_loop().create_task(reload())

    async def _reload(self) -> dict[str, Any]:
        """Read which lanes to run again, and run those. What cannot be read changes nothing."""
        try:
            if self._lanes_again is None:
                raise InputError("this daemon was not told how to read its lanes again")
            changed = await self._lanes.change(await asyncio.to_thread(self._lanes_again))
        except MevError as error:
            log.error("lanes not read again", error=error)
            raise
        log.info("lanes read again", **changed)
        return dict(changed)

    # What is told over HTTP

    def _server(self) -> HttpServer:
        app = application(
            self.metrics.registry,
            self._heads,
            self.health,
            self.not_ready,
            DaemonCommands(self._take_alerts, self._logging.seal, self._prune_log, self._reload),
            self._settings.home / "reports",
            stopped=self.stopped,
            more=self._status,
        )
        door = Door(hosts_of(self._settings.host), home_token(self._settings.home), GUARDED)
        return HttpServer(Guarded(app, door, refusals(self.metrics.registry)))

    def health(self) -> dict[str, Any]:
        """Describe the daemon."""
        head = self._heads.newest
        return {
            "lanes": self._lanes.health(),
            "durable_seq": self._logging.durable_seq,
            "stored_seq": self._storing.stored_seq,
            "backlog": self._storing.backlog,
            "queue": {
                "depth": len(self._queue),
                "capacity": self._queue.capacity,
                "bytes": self._queue.held_bytes,
                "capacity_bytes": self._queue.capacity_bytes,
            },
            "dropped": self._queue.dropped.total(),
            "head_block": head.number if head else None,
            "uptime_seconds": round(time.monotonic() - self._started, 3),
            "stopped": self.stopped(),
        }

    def _status(self) -> dict[str, Any]:
        return {
            "mode": self._settings.ingest.mode,
            "head_age_seconds": round(self._lags.age.seconds(), 3),
            "rates": self._rates.per_second(),
            "peers": self._lanes.peers(),
            **self._newest.newest(),
        }

    def stopped(self) -> list[dict[str, Any]]:
        """Name the stages that stand still, since when and why; the daemon itself goes on."""
        found = self._executability.stopped
        return [] if found is None else [found.as_dict()]

    def not_ready(self) -> list[str]:
        """Name what keeps the daemon from being ready: no lane delivers, or the store is far behind."""
        reasons = []
        if why := self._lanes.not_ready():
            reasons.append(why)
        slots, still = self._settings.ingest.stale_slots, self._lags.still.seconds()
        if slots and still > slots * SLOT_SECONDS and self._lanes.follows_heads():
            reasons.append(f"no new head for {still:.0f} s, {still / SLOT_SECONDS:.0f} slots")
        if self._storing.wrong_chain:
            reasons.append(self._storing.error)
        if self._storing.backlog > READY_BACKLOG_EVENTS:
            reasons.append(f"the store is {self._storing.backlog} events behind the log")
        return reasons

    # What it is told over HTTP

    def _take_alerts(self, alerts: list[Alert]) -> int:
        inbox, now_ns = AlertInbox(self._settings.home), self._clock.wall_ns()
        firing = [alert for alert in alerts if alert.ends_ns is None]
        return sum(inbox.post(alert, now_ns) for alert in firing)

    async def _prune_log(self, before_wall_ns: int, dry_run: bool) -> dict[str, Any]:
        stored_seq = self._storing.stored_seq
        return await self._logging.prune(before_wall_ns, stored_seq=stored_seq, dry_run=dry_run)

    # What it is made of

    def _open(self) -> None:
        settings = self._settings
        writer = open_writer(settings)
        decoded = DecodedTransactions()
        pin = ChainPin(settings.events_dir / CHAIN_FILE, chain_id=settings.chain_id)
        pipeline = Pipeline(self.metrics, decoded=decoded, pin=pin)
        last_seq = restore(pipeline, EventLogReader(settings.events_dir))
        self._continues = last_seq >= 0
        self._queue = ArrivalQueue(
            settings.ingest.queue_events,
            capacity_bytes=settings.ingest.queue_bytes,
            on_drop=self.metrics.count_drop,
        )
        self._logging = LogFeed(settings, writer, self._queue, pipeline, self.metrics, self._clock)
        feeder = StoreFeeder(
            settings.events_dir,
            self._connect_store,
            self.metrics,
            self._clock,
            BodyDecoder(known=decoded),
            self._lags,
            pin=pin,
        )
        self._storing = StoreFeed(
            feeder, self.metrics, self._clock, rng=self._rng, durable_seq=lambda: self._logging.durable_seq
        )
        context = partial(
            LaneContext,
            self._clock,
            knows=pipeline.knows,
            decoded=decoded,
            registry=self.metrics.registry,
            pin=pin,
        )
        self._lanes = LaneSet(
            self._factories,
            lambda: context(pipeline.chain.copy()),
            self._queue,
            self.metrics,
            self._clock,
            rng=self._rng,
            restart=not self._once,
        )
        self._show(last_seq)

    def _show(self, last_seq: int) -> None:
        """Set the gauges, and say how those are found that are computed when they are scraped."""
        metrics = self.metrics
        metrics.durable_seq.set(last_seq)
        metrics.queue_capacity.set(self._queue.capacity)
        metrics.queue_depth.set_function(lambda: len(self._queue))
        metrics.backlog.set_function(lambda: self._storing.backlog)
        metrics.backlog_age.set_function(lambda: self._backlog_age.seconds(self._storing.stored_seq))
        metrics.head_age.set_function(self._lags.age.seconds)
        metrics.engine_mismatches.set_function(partial(kept_inputs, self._settings.mismatch_dir))

    def _close(self) -> None:
        self._storing.close()
        self._logging.close()

    # The tasks

    async def _run_lanes(self) -> None:
        await self._lanes.run(continues=self._continues, stays=not self._once)

    async def _wait_for_stop(self) -> None:
        await self._stopping.wait()

    def _arrived(self, batch: Sequence[Arrival]) -> None:
        self._lags.fetched(batch)
        for arrival in batch:
            if isinstance(arrival, BlockArrived):
                self._executability.saw(arrival.block)

    async def _logged(self, events: Sequence[Event]) -> None:
        durable = self._logging.durable_seq
        self._backlog_age.logged(durable)
        self._rates.logged(events)
        for offset, event in enumerate(events, start=durable + 1 - len(events)):
            if isinstance(event, BlockSeen):
                self._lags.logged(offset, event)
                await self._heads.announce(Head(event.number, event.block_hash, offset))
                self._storing.wake()
        if self._storing.backlog >= BATCH_EVENTS:
            self._storing.wake()

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

    async def _probe(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(PROBE_SECONDS)
            self.metrics.loop_lag.observe(max(0.0, time.monotonic() - before - PROBE_SECONDS))
