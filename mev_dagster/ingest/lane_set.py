"""All lanes of a daemon: made from what it was told, run side by side, stopped and told of together."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from mev_dagster.errors import PluginFailed
from mev_dagster.events.types import Lane, LaneState, LaneStatus, source_name
from mev_dagster.ingest.arrivals import UNLOGGED
from mev_dagster.ingest.lanes.lane import IngestLane, LaneContext, LaneFactory
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.ingest.supervisor import LaneSupervisor
from mev_dagster.ingest.tasks import run_all
from mev_dagster.plugins import note
from mev_dagster.telemetry.clock import Clock


class LaneSet:
    """The lanes of one daemon, each kept alive by a supervisor of its own."""

    def __init__(
        self,
        factories: Sequence[LaneFactory],
        context: Callable[[], LaneContext],
        queue: ArrivalQueue,
        metrics: IngestMetrics,
        clock: Clock,
        *,
        rng: random.Random,
        restart: bool,
    ) -> None:
        self._queue, self._metrics, self._clock = queue, metrics, clock
        self._supervisors = [
            LaneSupervisor(lane, queue, metrics, clock, rng=rng, restart=restart)
            for lane in _made(factories, context)
        ]
        lanes = [supervisor.lane for supervisor in self._supervisors]
        metrics.name_private_lanes(source_name(lane.source) for lane in lanes if lane.kind is Lane.PRIVATE)
        alike: defaultdict[str, list[IngestLane]] = defaultdict(list)
        for lane in lanes:
            alike[metrics.lane_label(lane.kind, lane.source)].append(lane)
        for label, those in alike.items():
            metrics.lane_up.labels(label).set_function(partial(_is_connected, those))

    async def run(self, *, continues: bool) -> None:
        """Run every lane to its end. A log that `continues` an older one has a gap in front."""
        if continues:
            for lane in self._live():
                await self._queue.put(self._status(lane, LaneState.GAP, "the daemon was not running"))
        await run_all(*(supervisor.run() for supervisor in self._supervisors))

    def say_stopped(self) -> None:
        """Log that lanes which were connected no longer are."""
        for lane in self._live():
            if lane.connected:
                self._queue.offer(self._status(lane, LaneState.DISCONNECTED, "the daemon stops"))

    def not_ready(self) -> str:
        """Say why nothing is delivered; empty where a lane delivers, or has delivered all its source had."""
        if any(one.finished or (one.lane.connected and not _trouble(one.lane)) for one in self._supervisors):
            return ""
        troubles = [_trouble(one.lane) for one in self._supervisors if one.lane.connected]
        return "; ".join(troubles) or "no lane is connected"

    def follows_heads(self) -> bool:
        """Say whether a lane of ours brings heads as they come."""
        return any(lane.kind is Lane.RPC for lane in self._live())

    def health(self) -> dict[str, dict[str, Any]]:
        """Describe the lanes by what they are called; a second one of a kind has its source behind it."""
        told: dict[str, dict[str, Any]] = {}
        for one in self._supervisors:
            label = self._metrics.lane_label(one.lane.kind, one.lane.source)
            told[f"{label} {one.lane.source}" if label in told else label] = {
                "connected": one.lane.connected,
                "source": one.lane.source,
                "trouble": _trouble(one.lane),
                "last_error": one.last_error,
            }
        return told

    def _live(self) -> Iterator[IngestLane]:
        return (one.lane for one in self._supervisors if one.lane.kind is not Lane.CAPTURE)

    def _status(self, lane: IngestLane, state: LaneState, reason: str) -> LaneStatus:
        stamp = (UNLOGGED, self._clock.wall_ns(), self._clock.mono_ns(), lane.kind, lane.source)
        return LaneStatus(*stamp, state, reason)


def _trouble(lane: IngestLane) -> str:
    """What a lane's source keeps from it although it is connected, where the lane can tell."""
    return str(getattr(lane, "trouble", ""))


def _is_connected(lanes: Sequence[IngestLane]) -> float:
    return float(any(lane.connected for lane in lanes))


def _made(factories: Sequence[LaneFactory], context: Callable[[], LaneContext]) -> Iterator[IngestLane]:
    """Yield the lanes; one of another package that cannot be made is left out, named and counted."""
    for factory in factories:
        try:
            yield factory(context())
        except PluginFailed as failure:
            note(failure)
