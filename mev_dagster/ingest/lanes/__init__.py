"""Where arrivals come from: one file per lane, one method each.

A lane hands everything to the queue and returns when its source is exhausted, or raises when it is lost.
The daemon restarts a lost lane with back-off; the lane object lives on, so it remembers its heads.
"""

from typing import Protocol

from mev_dagster.events.types import Lane
from mev_dagster.ingest.queue import ArrivalQueue


class IngestLane(Protocol):
    """One source of arrivals."""

    kind: Lane
    source: str
    connected: bool

    async def run(self, queue: ArrivalQueue) -> None:
        """Deliver until the source is exhausted; raise a `MevError` when it is lost."""
        ...
