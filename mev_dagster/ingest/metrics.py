"""What the daemon counts, by the catalogue, and how it counts what comes in batches."""

from collections import Counter as Tally
from collections.abc import Iterable, Sequence

from mev_dagster.events.types import Event, Lane, LaneState, LaneStatus, lane_name, source_name
from mev_dagster.telemetry import catalogue


class IngestMetrics(catalogue.DeclaredIngestMetrics):
    """The daemon's metrics on one registry."""

    _private: frozenset[str] = frozenset()

    def name_private_lanes(self, names: Iterable[str]) -> None:
        """Count what these sources of the private lane bring under their own names.

        Only lanes the daemon runs have one: what a source calls itself makes no new time series.
        """
        self._private = frozenset(names)

    def lane_label(self, lane: Lane, source: str) -> str:
        """Return what a lane is called: the name of its kind, or its own where another package brought it."""
        name = source_name(source) if lane is Lane.PRIVATE else ""
        return name if name in self._private else lane_name(lane)

    def count_drop(self, lane: Lane, source: str, reason: str, count: int) -> None:
        """Count what a queue refused."""
        self.dropped.labels(self.lane_label(lane, source), reason).inc(count)

    def count_events(self, events: Sequence[Event]) -> None:
        """Count a batch of logged events."""
        for (lane, source, kind), count in Tally((e.lane, e.source, type(e)) for e in events).items():
            self.events.labels(self.lane_label(lane, source), kind.__name__).inc(count)
        for event in events:
            if isinstance(event, LaneStatus) and event.state is LaneState.RESYNCED:
                self.resynced.labels(self.lane_label(event.lane, event.source)).inc(event.count)
