"""Keeps lanes alive: a lane that dies leaves a gap in the log and comes back after a while."""

import random

from mev_dagster.errors import InputError, MevError, PluginFailed, WrongChain
from mev_dagster.events.types import Lane, LaneState, LaneStatus, source_name
from mev_dagster.ingest.arrivals import UNLOGGED
from mev_dagster.ingest.lanes.lane import IngestLane
from mev_dagster.ingest.limits import cut
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.telemetry.clock import Clock
from mev_dagster.telemetry.logging import logger
from mev_dagster.telemetry.retries import Retry, starts_over

log = logger("ingest.lanes")
# What no restart can mend (a wrong flag) ends the daemon.
RESTARTED = Retry("lane", on=(Exception,), never=(InputError,))
RUN_ONCE = Retry("lane", attempts=1)


class LaneSupervisor:
    """Runs one lane until its source is exhausted, restarting it with back-off whenever it is lost."""

    def __init__(
        self,
        lane: IngestLane,
        queue: ArrivalQueue,
        metrics: IngestMetrics,
        clock: Clock,
        *,
        rng: random.Random | None = None,
        restart: bool = True,
    ) -> None:
        self.lane = lane
        self.last_error = ""
        self.finished = False
        self._queue, self._metrics, self._clock, self._rng = queue, metrics, clock, rng
        self._policy = RESTARTED if restart else RUN_ONCE

    @property
    def _label(self) -> str:
        return self._metrics.lane_label(self.lane.kind, self.lane.source)

    async def run(self) -> None:
        """Run until the source is exhausted. What no restart can mend (a wrong flag) is raised."""
        told = False  # the log has a gap for this outage
        loop = self._policy.asynchronous(self._clock, rng=self._rng, registry=self._metrics.registry)
        async for attempt in loop:
            with attempt:
                had = self._delivered()
                try:
                    await self.lane.run(self._queue)
                except InputError:
                    raise
                except Exception as error:
                    self._hear(error)
                    if self._policy is RUN_ONCE:
                        if isinstance(error, PluginFailed):
                            break  # the run goes on without what another package brought
                        raise
                    if self._delivered() > had:
                        starts_over(attempt.retry_state)
                    if self.lane.connected:
                        self.lane.connected = told = False
                        await self._report(LaneState.DISCONNECTED)
                    if not told:
                        await self._report(LaneState.GAP)
                        told = True
                    self._metrics.lane_restarts.labels(self._label).inc()
                    raise
        self.finished = True

    def _delivered(self) -> int:
        """How much data came so far: a connection that brings none does not make the pauses short again."""
        return self._queue.accepted[self.lane.kind, source_name(self.lane.source)]

    def _hear(self, error: Exception) -> None:
        if isinstance(error, MevError):
            self.last_error = cut(str(error))
            tell = log.warning
            if isinstance(error, WrongChain):
                tell = log.error
                where = "capture" if self.lane.kind is Lane.CAPTURE else "node"
                self._metrics.wrong_chain.labels(where).inc()
            tell("lane lost", lane=self._label, error=error)
        else:
            self.last_error = cut(f"{type(error).__name__}: {error}")
            log.exception("lane died", lane=self._label)

    async def _report(self, state: LaneState) -> None:
        stamp = (UNLOGGED, self._clock.wall_ns(), self._clock.mono_ns(), self.lane.kind, self.lane.source)
        await self._queue.put(LaneStatus(*stamp, state, self.last_error))
