"""The capture lane: a recorded or imported window of mempool and chain, at its own pace or any other.

Events keep the times at which they were captured; only their delivery is paced. What the pipeline derives
(inclusions, replacements, reverts) is left out here and derived again, so a capture takes the same path as
a live node.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from mev_dagster.captures.format import Capture, open_capture
from mev_dagster.errors import InputError
from mev_dagster.events.types import BlockSeen, Event, Lane, LaneStatus, TxBody, TxRejected, TxSeen
from mev_dagster.ingest.arrivals import UNLOGGED, Arrival, BlockArrived
from mev_dagster.ingest.lanes.lane import LaneFactory, LaneMaker, LaneOrder
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.node.identity import ChainIdentity, ChainPin
from mev_dagster.telemetry.clock import Clock
from mev_dagster.units import NS_PER_SECOND
from mev_dagster.windows.canonical_chain import CanonicalChain

YIELD_EVERY = 256  # a capture at full speed must not keep the event loop for itself


class CaptureLane:
    """One capture. A log that already holds part of it gets the rest."""

    kind = Lane.CAPTURE

    def __init__(
        self,
        capture: Capture,
        clock: Clock,
        *,
        speed: float | None = None,
        chain: CanonicalChain | None = None,
        pin: ChainPin | None = None,
    ) -> None:
        self.source = capture.path.name
        self.connected = False
        self._capture, self._clock = capture, clock
        self._numbers = frozenset(capture.numbers)  # the head that opens the first window is not among them
        self._speed = speed  # times real time; None is as fast as it goes
        self._pin = pin
        self._tip = chain.tip.hash if chain is not None and chain.tip is not None else None

    async def run(self, queue: ArrivalQueue) -> None:
        """Deliver the whole capture, or what follows the log's own head."""
        if self._pin is not None:
            self._pin.check(ChainIdentity(self._capture.chain_id), self.source)
        self.connected = True
        pace = _Pace(self._clock, self._speed)
        for index, event in enumerate(self._events()):
            arrival = self._arrival(event)
            if arrival is None:
                continue
            if index % YIELD_EVERY == 0:
                await asyncio.sleep(0)
            await pace.wait_for(event.wall_ns)
            await queue.put(arrival)
        self.connected = False

    def _events(self) -> Iterator[Event]:
        """Read the events as they are played, those behind the log's own head where the capture holds it."""
        behind = None
        if self._tip is not None:
            for place, event in enumerate(self._capture.events()):
                if isinstance(event, BlockSeen) and event.block_hash == self._tip:
                    behind = place
        return islice(self._capture.events(), 0 if behind is None else behind + 1, None)

    def _arrival(self, event: Event) -> Arrival | None:
        if isinstance(event, TxSeen | TxBody | TxRejected | LaneStatus):
            return replace(event, seq=UNLOGGED, lane=Lane.CAPTURE)
        if isinstance(event, BlockSeen) and event.number in self._numbers:
            block = self._capture.block(event.number)
            if block.hash == event.block_hash:  # a reverted rival's body is in no capture
                return BlockArrived(event.wall_ns, event.mono_ns, Lane.CAPTURE, event.source, block)
        return None


class CaptureMaker(LaneMaker):
    """Plays the capture at `path`, `speed` times real time."""

    options = frozenset({"path", "speed"})

    def wanted(self, order: LaneOrder) -> bool:
        """Run wherever a path is given."""
        return "path" in order.options

    def prepare(self, order: LaneOrder) -> LaneFactory:
        """Open the capture."""
        if "path" not in order.options:
            raise InputError("lane capture needs --capture")
        speed = parse_speed(str(order.options.get("speed", 1)))
        capture = open_capture(Path(str(order.options["path"])))
        return lambda context: CaptureLane(
            capture, context.clock, speed=speed, chain=context.chain, pin=context.pin
        )


def parse_speed(text: str) -> float | None:
    """Read a pace: times real time, or None for `max`."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise InputError(f"--speed: expected 1, a positive number or max, found {text!r}")
    return speed


class _Pace:
    """Maps captured time to the clock's: the first event is due at once."""

    def __init__(self, clock: Clock, speed: float | None) -> None:
        self._clock, self._speed = clock, speed
        self._first_ns: int | None = None
        self._started_ns = clock.mono_ns()

    async def wait_for(self, wall_ns: int) -> None:
        if self._speed is None:
            return
        if self._first_ns is None:
            self._first_ns = wall_ns
        due_ns = self._started_ns + round((wall_ns - self._first_ns) / self._speed)
        delay_ns = due_ns - self._clock.mono_ns()
        if delay_ns > 0:
            await self._clock.sleep(delay_ns / NS_PER_SECOND)
