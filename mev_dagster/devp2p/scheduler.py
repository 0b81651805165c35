"""Fair turns: one task parses for all peers, a few frames of each at a time, and lets the loop breathe.

Parsing inside `data_received` would let one saturated socket keep the event loop for seconds, and with it
every deadline. Here a peer's turn ends after some frames, and a round after some milliseconds.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

FRAMES_PER_TURN = 8
SLICE_SECONDS = 0.005
HOLD_SECONDS = 0.02


class Turn(Protocol):
    """Something that has frames to parse."""

    def take_turn(self, frames: int) -> bool:
        """Parse at most `frames`; say whether there is more."""
        ...


class FairScheduler:
    """Round robin over whoever has something to parse."""

    def __init__(self, *, should_hold: Callable[[], bool] = lambda: False) -> None:
        self.holds = 0
        self._should_hold = should_hold
        self._queue: deque[Turn] = deque()
        self._queued: set[Turn] = set()
        self._wake = asyncio.Event()

    def ready(self, work: Turn) -> None:
        """Put `work` at the end of the round, once."""
        if work not in self._queued:
            self._queued.add(work)
            self._queue.append(work)
            self._wake.set()

    async def run(self) -> None:
        """Give turns until cancelled. While the receiver is full everyone waits, and TCP tells the peers."""
        while True:
            while not self._queue:
                self._wake.clear()
                await self._wake.wait()
            if self._should_hold():
                self.holds += 1
                await asyncio.sleep(HOLD_SECONDS)
                continue
            self.run_slice(time.perf_counter() + SLICE_SECONDS)
            await asyncio.sleep(0)

    def run_slice(self, until: float) -> None:
        """Give turns until `until`, or until nobody has anything left."""
        queue = self._queue
        while queue:
            work = queue.popleft()
            if work.take_turn(FRAMES_PER_TURN):
                queue.append(work)
            else:
                self._queued.discard(work)
            if time.perf_counter() >= until:
                return
