"""Keeps lanes alive: a lane that dies leaves a gap in the log and comes back after a while."""

import random
from collections.abc import Callable, Iterator

from mev_dagster.errors import InputError, MevError
from mev_dagster.events.types import LaneState, LaneStatus
from mev_dagster.ingest.arrivals import UNLOGGED
from mev_dagster.ingest.backoff import delays
from mev_dagster.ingest.lanes.lane import IngestLane
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.telemetry.clock import Clock
from mev_dagster.telemetry.logging import logger

log = logger("ingest.lanes")


class LaneSupervisor:
    """Runs one lane until its source is exhausted, restarting it with back-off whenever it is lost."""

    def __init__(
        self,
        lane: IngestLane,
        queue: ArrivalQueue,
        metrics: IngestMetrics,
        clock: Clock,
        *,
        backoff: Callable[[], Iterator[float]] | None = None,
        restart: bool = True,
    ) -> None:
        self.lane = lane
        self.last_error = ""
        self.finished = False
        self._queue, self._metrics, self._clock = queue, metrics, clock
        self._backoff = backoff or (lambda: delays(random.Random()))  # noqa: S311 - jitter, not a secret
        self._restart = restart

    @property
    def _label(self) -> str:
        return self._metrics.lane_label(self.lane.kind, self.lane.source)

    async def run(self) -> None:
        """Run until the source is exhausted. What no restart can mend (a wrong flag) is raised."""
        waits = self._backoff()
        told = False  # the log has a gap for this outage
        while True:
            try:
                await self.lane.run(self._queue)
                self.finished = True
                return
            except InputError:
                raise
            except MevError as error:
                self.last_error = str(error)
                log.warning("lane lost", lane=self._label, error=error)
                if not self._restart:
                    raise
            except Exception as fault:
                self.last_error = f"{type(fault).__name__}: {fault}"
                log.exception("lane died", lane=self._label)
                if not self._restart:
                    raise
            if self.lane.connected:
                self.lane.connected = told = False
                waits = self._backoff()
                await self._report(LaneState.DISCONNECTED)
            if not told:
                await self._report(LaneState.GAP)
                told = True
            self._metrics.lane_restarts.labels(self._label).inc()
            await self._clock.sleep(next(waits))

    async def _report(self, state: LaneState) -> None:
        stamp = (UNLOGGED, self._clock.wall_ns(), self._clock.mono_ns(), self.lane.kind, self.lane.source)
        await self._queue.put(LaneStatus(*stamp, state, self.last_error))
