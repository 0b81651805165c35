"""The one queue between the lanes and the pipeline: bounded, and every refusal is counted by its reason.

A sender that must not wait (a socket's reader) uses `offer`; one that may (a capture, a block fetch) uses
`put` and is slowed down instead. One event loop owns the queue, so it needs no lock.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable

from mev_dagster.errors import QueueFull
from mev_dagster.events.types import Lane
from mev_dagster.ingest.arrivals import Arrival

QUEUE_FULL = "queue_full"

DropKey = tuple[Lane, str, str]  # lane, source, reason


class ArrivalQueue:
    """A bounded first-in first-out queue of arrivals."""

    def __init__(
        self, capacity: int, *, on_drop: Callable[[Lane, str, str, int], None] | None = None
    ) -> None:
        if capacity < 1:
            raise ValueError(f"a queue needs room for at least one arrival, not {capacity}")
        self.capacity = capacity
        self.dropped: Counter[DropKey] = Counter()
        self._unreported: Counter[DropKey] = Counter()
        self._items: deque[Arrival] = deque()
        self._on_drop = on_drop
        self._closed = False
        self._not_empty = asyncio.Event()
        self._not_full = asyncio.Event()
        self._not_full.set()

    def __len__(self) -> int:
        return len(self._items)

    def put_now(self, arrival: Arrival) -> None:
        """Add without waiting; a full queue counts the refusal and raises `QueueFull`."""
        if len(self._items) >= self.capacity:
            self.drop(arrival.lane, arrival.source, QUEUE_FULL)
            raise QueueFull(
                f"the ingest queue holds {len(self._items)} of {self.capacity} arrivals: "
                f"dropped {type(arrival).__name__} of lane {arrival.lane.name.lower()}"
            )
        self._add(arrival)

    def offer(self, arrival: Arrival) -> bool:
        """Add without waiting and say whether there was room; a refusal has been counted."""
        if len(self._items) >= self.capacity:
            self.drop(arrival.lane, arrival.source, QUEUE_FULL)
            return False
        self._add(arrival)
        return True

    async def put(self, arrival: Arrival) -> None:
        """Add, waiting for room."""
        while len(self._items) >= self.capacity:
            self._not_full.clear()
            await self._not_full.wait()
        self._add(arrival)

    async def take(self, limit: int) -> list[Arrival]:
        """Return between one and `limit` arrivals in order; an empty list once closed and drained."""
        while not self._items:
            if self._closed:
                return []
            self._not_empty.clear()
            await self._not_empty.wait()
        count = min(limit, len(self._items))
        taken = [self._items.popleft() for _ in range(count)]
        self._not_full.set()
        return taken

    def drop(self, lane: Lane, source: str, reason: str, count: int = 1) -> None:
        """Count items that a lane lost before they could be queued."""
        self.dropped[lane, source, reason] += count
        self._unreported[lane, source, reason] += count
        if self._on_drop is not None:
            self._on_drop(lane, source, reason, count)

    def unreported_drops(self) -> dict[DropKey, int]:
        """Return, once, the drops counted since the last call."""
        drops = dict(self._unreported)
        self._unreported.clear()
        return drops

    def close(self) -> None:
        """Let `take` return what is left and then empty lists."""
        self._closed = True
        self._not_empty.set()

    def _add(self, arrival: Arrival) -> None:
        self._items.append(arrival)
        self._not_empty.set()
