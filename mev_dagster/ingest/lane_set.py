"""All lanes of a daemon: made from what it was told, run side by side, stopped and told of together."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from mev_dagster.errors import PluginFailed
from mev_dagster.events.types import Lane, LaneState, LaneStatus, source_name
from mev_dagster.ingest.arrivals import UNLOGGED
from mev_dagster.ingest.lanes.lane import IngestLane, LaneContext, LaneFactory
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.ingest.supervisor import LaneSupervisor
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
        self._context, self._rng, self._restart = context, rng, restart
        self._changed, self._changing = asyncio.Event(), asyncio.Lock()
        self._tasks: dict[LaneSupervisor, asyncio.Task[None]] = {}
        self._supervisors = [self._supervised(lane) for lane in _made(factories, context)]
        self._show()

    def _supervised(self, lane: IngestLane) -> LaneSupervisor:
        return LaneSupervisor(
            lane, self._queue, self._metrics, self._clock, rng=self._rng, restart=self._restart
        )

    def _show(self) -> None:
        """Let each label's gauge ask the lanes it is now about; one without a lane is 0."""
        lanes = [supervisor.lane for supervisor in self._supervisors]
        private = (source_name(lane.source) for lane in lanes if lane.kind is Lane.PRIVATE)
        self._metrics.name_private_lanes(private)
        self._metrics.lane_up.clear()
        alike: defaultdict[str, list[IngestLane]] = defaultdict(list)
        for lane in lanes:
            alike[self._metrics.lane_label(lane.kind, lane.source)].append(lane)
        for label, those in alike.items():
            self._metrics.lane_up.labels(label).set_function(partial(_is_connected, those))

    async def run(self, *, continues: bool, stays: bool = False) -> None:
        """Run every lane to its end; with `stays`, wait for more then.

        A log that `continues` an older one has a gap in front.
        """
        if continues:
            for lane in self._live():
                await self._queue.put(self._status(lane, LaneState.GAP, "the daemon was not running"))
        changed: asyncio.Task[bool] | None = None
        try:
            while True:
                self._start()
                self._changed.clear()
                running = [task for task in self._tasks.values() if not task.done()]
                if not running and not stays:
                    return
                changed = asyncio.create_task(self._changed.wait())
                await asyncio.wait({changed, *running}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                for task in self._tasks.values():
                    if task.done() and not task.cancelled():
                        task.result()
        finally:
            if changed is not None:
                changed.cancel()
            await _cancelled(self._tasks.values())

    def _start(self) -> None:
        for supervisor in self._supervisors:
            if supervisor not in self._tasks:
                self._tasks[supervisor] = asyncio.create_task(supervisor.run())

    async def change(self, factories: Sequence[LaneFactory]) -> dict[str, list[str]]:
        """Run these lanes from now on: start the new ones, end those left out, let the others go on.

        A lane is known by its kind and source. Returns what came, what went and what stays, by name.
        """
        async with self._changing:
            return await self._change(factories)

    async def _change(self, factories: Sequence[LaneFactory]) -> dict[str, list[str]]:
        made = {_key(lane): lane for lane in _made(factories, self._context)}
        kept = [one for one in self._supervisors if _key(one.lane) in made]
        gone = [one for one in self._supervisors if _key(one.lane) not in made]
        known = {_key(one.lane) for one in kept}
        new = [self._supervised(lane) for key, lane in made.items() if key not in known]
        self._supervisors = [
            *kept,
            *new,
        ]  # before anything is awaited: what is listed and has no task is started
        await _cancelled(self._tasks.pop(one) for one in gone if one in self._tasks)
        for one in gone:
            if one.lane.connected:
                self._queue.offer(self._status(one.lane, LaneState.DISCONNECTED, "the lane was taken away"))
        self._show()
        self._changed.set()
        return {
            name: [f"{self._metrics.lane_label(*_key(one.lane))} {one.lane.source}" for one in those]
            for name, those in (("started", new), ("ended", gone), ("kept", kept))
        }

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

    def peers(self) -> int:
        """How many peers the lanes have that talk to peers."""
        return sum(int(getattr(one.lane, "peers", 0)) for one in self._supervisors)

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


def _key(lane: IngestLane) -> tuple[Lane, str]:
    return lane.kind, lane.source


async def _cancelled(tasks: Iterable["asyncio.Task[None]"]) -> None:
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)


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
