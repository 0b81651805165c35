"""How long the oldest event that is logged and not stored has waited."""

from collections import deque

from mev_dagster.telemetry.clock import Clock
from mev_dagster.units import NS_PER_SECOND

MARKS = 1_024


class BacklogAge:
    """Marks of what was durable when; the oldest one the store has not passed says the age."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._marks: deque[tuple[int, int]] = deque()

    def logged(self, durable_seq: int) -> None:
        """Note that events up to `durable_seq` are durable now."""
        if len(self._marks) >= MARKS:  # every second one says the same, a little later
            self._marks = deque(list(self._marks)[::2])
        self._marks.append((durable_seq, self._clock.mono_ns()))

    def seconds(self, stored_seq: int) -> float:
        """Return the age now, 0 when the store holds everything."""
        while self._marks and self._marks[0][0] <= stored_seq:
            self._marks.popleft()
        return (self._clock.mono_ns() - self._marks[0][1]) / NS_PER_SECOND if self._marks else 0.0
