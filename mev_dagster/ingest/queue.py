"""The one queue between the lanes and the pipeline: bounded, and every refusal is counted by its reason.

It is bounded twice, in arrivals and in bytes: a thousand transactions are 200 KB or 100 MB.

A sender that must not wait (a socket's reader) uses `offer`; one that may (a capture, a block fetch) uses
`put` and is slowed down instead. One event loop owns the queue, so it needs no lock.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable

from mev_dagster.errors import QueueFull
from mev_dagster.events.types import Lane, LaneStatus, source_name
from mev_dagster.ingest.arrivals import Arrival, weight_bytes
from mev_dagster.units import MIB

QUEUE_FULL = "queue_full"
CAPACITY_BYTES = 64 * MIB

DropKey = tuple[Lane, str, str]  # lane, source, reason


class ArrivalQueue:
    """A bounded first-in first-out queue of arrivals."""

    def __init__(
        self,
        capacity: int,
        *,
        capacity_bytes: int = CAPACITY_BYTES,
        on_drop: Callable[[Lane, str, str, int], None] | None = None,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"a queue needs room for at least one arrival, not {capacity}")
        self.capacity, self.capacity_bytes = capacity, capacity_bytes
        self.held_bytes = 0
        self.accepted: Counter[tuple[Lane, str]] = Counter()
        """Data taken by lane and source; what a lane says of itself is none."""
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

    @property
    def fill(self) -> float:
        """How full the queue is, by whichever bound is nearer; 1 takes nothing more."""
        return max(len(self._items) / self.capacity, self.held_bytes / self.capacity_bytes)

    @property
    def is_full(self) -> bool:
        """Whether nothing more is taken. What is larger than all of the queue still goes in alone."""
        return len(self._items) >= self.capacity or self.held_bytes >= self.capacity_bytes

    def put_now(self, arrival: Arrival) -> None:
        """Add without waiting; a full queue counts the refusal and raises `QueueFull`."""
        if self.is_full:
            self.drop(arrival.lane, arrival.source, QUEUE_FULL)
            raise QueueFull(
                f"the ingest queue holds {len(self._items)} of {self.capacity} arrivals: "
                f"dropped {type(arrival).__name__} of lane {arrival.lane.name.lower()}"
            )
        self._add(arrival)

    def offer(self, arrival: Arrival) -> bool:
        """Add without waiting and say whether there was room; a refusal has been counted."""
        if self.is_full:
            self.drop(arrival.lane, arrival.source, QUEUE_FULL)
            return False
        self._add(arrival)
        return True

    async def put(self, arrival: Arrival) -> None:
        """Add, waiting for room."""
        while self.is_full:
            self._not_full.clear()
            await self._not_full.wait()
        self._add(arrival)

    async def take(self, limit: int, limit_bytes: int | None = None) -> list[Arrival]:
        """Return between one and `limit` arrivals in order; an empty list once closed and drained.

        With `limit_bytes`, the one that reaches it is the last.
        """
        while not self._items:
            if self._closed:
                return []
            self._not_empty.clear()
            await self._not_empty.wait()
        taken: list[Arrival] = []
        held_bytes = self.held_bytes
        while self._items and len(taken) < limit:
            taken.append(self._items.popleft())
            self.held_bytes -= weight_bytes(taken[-1])
            if limit_bytes is not None and held_bytes - self.held_bytes >= limit_bytes:
                break
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
        self.held_bytes += weight_bytes(arrival)
        if not isinstance(arrival, LaneStatus):
            self.accepted[arrival.lane, source_name(arrival.source)] += 1
        self._not_empty.set()
