"""A lane of another package, run where it can stop nothing but itself.

It has a thread with an event loop of its own, so one that blocks, never ends or spins keeps nobody waiting;
what it delivers is checked and bounded before it meets the queue that all lanes share. However it fails, it
is a lane that was lost: named, counted, and tried again after a while unless its thread is still there.
"""

import asyncio
import threading
from collections import Counter, deque
from typing import Any

from mev_dagster.errors import InputError, MevError, PluginFailed, QueueFull
from mev_dagster.events.types import Lane
from mev_dagster.ingest.arrivals import Arrival
from mev_dagster.ingest.lanes.arrival_check import checked, checked_source
from mev_dagster.ingest.lanes.lane import IngestLane
from mev_dagster.ingest.limits import cut
from mev_dagster.ingest.queue import QUEUE_FULL, ArrivalQueue
from mev_dagster.plugin_loop import OwnLoop
from mev_dagster.plugins import SECONDS_OF_A_BLOCK, Plugin, note

SHARE_OF_THE_QUEUE = 2
"""What one such lane may fill of it is one part in so many: the rest stays free for others."""
MOST_WAITING = 8_192
MOST_REASONS = 32
LANE_LOST = "lane_lost"
_BATCH = 256
_PAUSE_SECONDS = 0.01


class LaneInbox:
    """The queue as the lane sees it, from the lane's thread; bounded, every refusal counted."""

    def __init__(self, queue: ArrivalQueue, name: str, source: str) -> None:
        self._queue, self._name, self._source = queue, name, source
        self._share = max(1, queue.capacity // SHARE_OF_THE_QUEUE)
        self.capacity = min(MOST_WAITING, self._share)
        self._items: deque[Arrival] = deque()
        self._drops: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._items)

    def put_now(self, arrival: Arrival) -> None:
        """Add without waiting; a full queue counts the refusal and raises `QueueFull`."""
        if not self.offer(arrival):
            raise QueueFull(f"lane {self._name} has {len(self)} of {self.capacity} arrivals waiting")

    def offer(self, arrival: Arrival) -> bool:
        """Add without waiting and say whether there was room; a refusal has been counted."""
        if len(self) >= self.capacity:
            self.drop(Lane.PRIVATE, self._source, QUEUE_FULL)
            return False
        self._items.append(checked(arrival, self._name))
        return True

    async def put(self, arrival: Arrival) -> None:
        """Add, waiting for room."""
        while len(self) >= self.capacity:
            await asyncio.sleep(_PAUSE_SECONDS)
        self._items.append(checked(arrival, self._name))

    def drop(self, lane: Lane, source: str, reason: str, count: int = 1) -> None:
        """Count what the lane lost; what it calls itself there is not asked."""
        with self._lock:
            named = cut(str(reason))
            if named not in self._drops and len(self._drops) >= MOST_REASONS:
                named = "other"
            self._drops[named] += max(0, int(count))

    async def pump(self) -> None:
        """Hand over what has come, on the daemon's loop, for as long as there is room for others too."""
        while True:
            await self.flush()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def flush(self) -> None:
        """Hand over what has come by now, waiting for room."""
        left = len(self)
        while left > 0:
            moved = self._move(min(left, _BATCH))
            left -= moved
            await asyncio.sleep(0 if moved else _PAUSE_SECONDS)
        self._tell_drops()

    def abandon(self) -> None:
        """Hand over what there is room for, and count the rest as lost with the lane."""
        self._move(len(self))
        self.drop(Lane.PRIVATE, self._source, LANE_LOST, len(self))
        self._items.clear()
        self._tell_drops()

    def _move(self, most: int) -> int:
        room = self._share - len(self._queue)
        moved = max(0, min(most, room, len(self)))
        for _ in range(moved):
            self._queue.put_now(self._items.popleft())
        return moved

    def _tell_drops(self) -> None:
        with self._lock:
            drops, self._drops = self._drops, Counter()
        for reason, count in drops.items():
            if count:
                self._queue.drop(Lane.PRIVATE, self._source, reason, count)


class IsolatedLane:
    """What the daemon has instead of the lane."""

    kind = Lane.PRIVATE

    def __init__(
        self,
        plugin: Plugin[Any],
        lane: IngestLane,
        *,
        silent_seconds: float = SECONDS_OF_A_BLOCK,
    ) -> None:
        self._plugin, self._lane = plugin, lane
        self.source = checked_source(lane.source, plugin.name)
        self.connected = False
        self._own = OwnLoop(plugin, silent_seconds=silent_seconds, on_beat=self._see)
        self._failure: PluginFailed | None = None

    async def run(self, queue: ArrivalQueue) -> None:
        """Deliver until the source is exhausted; raise a `MevError` when the lane is lost."""
        if self._failure is not None and self._own.is_alive:
            raise self._failure
        inbox = LaneInbox(queue, self._plugin.name, self.source)
        pumping = asyncio.create_task(inbox.pump())
        try:
            await self._own.run(lambda: self._lane.run(inbox))  # type: ignore[arg-type]  # it does the same
            await inbox.flush()
        except PluginFailed as failure:
            self._failure = failure
            cause = failure.__cause__
            if isinstance(cause, MevError) and not isinstance(cause, InputError | PluginFailed):
                raise cause from None  # the source was lost, as sources are
            note(failure)
            raise
        finally:
            pumping.cancel()
            await asyncio.gather(pumping, return_exceptions=True)
            await self._own.close()
            inbox.abandon()

    def _see(self) -> None:
        """Run on the lane's own loop: whatever its attribute does, it does there."""
        try:
            self.connected = bool(self._lane.connected)
        except Exception:
            self.connected = False
