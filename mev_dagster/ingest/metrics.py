"""What the daemon counts, by the catalogue, and how it counts what comes in batches."""

from collections import Counter as Tally
from collections.abc import Sequence

from mev_dagster.events.types import Event, Lane, LaneState, LaneStatus, lane_name
from mev_dagster.telemetry import catalogue


class IngestMetrics(catalogue.IngestMetrics):
    """The daemon's metrics on one registry."""

    def count_drop(self, lane: Lane, reason: str, count: int) -> None:
        """Count what a queue refused."""
        self.dropped.labels(lane_name(lane), reason).inc(count)

    def count_events(self, events: Sequence[Event]) -> None:
        """Count a batch of logged events."""
        for (lane, kind), count in Tally((event.lane, type(event)) for event in events).items():
            self.events.labels(lane_name(lane), kind.__name__).inc(count)
        for event in events:
            if isinstance(event, LaneStatus) and event.state is LaneState.RESYNCED:
                self.resynced.labels(lane_name(event.lane)).inc(event.count)
