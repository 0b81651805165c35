"""Time as something handed in, so that every room can be replayed and tested without waiting."""

import asyncio
import time
from typing import Protocol

from mev_dagster.units import NS_PER_SECOND


class Clock(Protocol):
    """Where a room reads the time and how it waits."""

    def wall_ns(self) -> int:
        """Return UTC in integer nanoseconds since 1970."""
        ...

    def mono_ns(self) -> int:
        """Return a clock that never goes backwards, in nanoseconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait on this clock."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def wall_ns(self) -> int:
        """Return UTC in integer nanoseconds since 1970."""
        return time.time_ns()

    def mono_ns(self) -> int:
        """Return the monotonic clock in nanoseconds."""
        return time.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(seconds)


class VirtualClock:
    """A clock that moves only when something waits on it: replays take no time and give equal stamps."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns

    def wall_ns(self) -> int:
        """Return the virtual time."""
        return self._now_ns

    def mono_ns(self) -> int:
        """Return the virtual time."""
        return self._now_ns

    async def sleep(self, seconds: float) -> None:
        """Move the clock forward and let other tasks run."""
        self._now_ns += round(seconds * NS_PER_SECOND)
        await asyncio.sleep(0)
