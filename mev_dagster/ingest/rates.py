"""Events a second by lane and kind, over the last seconds: for a page that people watch."""

from collections import Counter, deque
from collections.abc import Sequence

from mev_dagster.events.types import Event, lane_name
from mev_dagster.telemetry.clock import Clock
from mev_dagster.units import NS_PER_SECOND

SPAN_NS = 10 * NS_PER_SECOND
SLICE_NS = NS_PER_SECOND


class Rates:
    """Counts events in slices of a second and forgets those behind the span."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._slices: deque[tuple[int, Counter[tuple[str, str]]]] = deque()

    def logged(self, events: Sequence[Event]) -> None:
        """Count a batch."""
        place = self._clock.mono_ns() // SLICE_NS
        self._forget(place)
        if not self._slices or self._slices[-1][0] != place:
            self._slices.append((place, Counter()))
        self._slices[-1][1].update((lane_name(event.lane), type(event).__name__) for event in events)

    def per_second(self) -> dict[str, dict[str, float]]:
        """Return what each lane brought a second, by kind."""
        self._forget(self._clock.mono_ns() // SLICE_NS)
        total: Counter[tuple[str, str]] = Counter()
        for _, counts in self._slices:
            total.update(counts)
        found: dict[str, dict[str, float]] = {}
        for (lane, kind), count in sorted(total.items()):
            found.setdefault(lane, {})[kind] = round(count * NS_PER_SECOND / SPAN_NS, 1)
        return found

    def _forget(self, place: int) -> None:
        while self._slices and self._slices[0][0] <= place - SPAN_NS // SLICE_NS:
            self._slices.popleft()
