"""The event log, read only."""

import dagster as dg

from mev_dagster.events.reader import EventLogReader
from mev_dagster.settings import settings


class EventLogResource(dg.ConfigurableResource):
    """The daemon's event log."""

    def reader(self) -> EventLogReader:
        """Return a reader over the log of this home."""
        return EventLogReader(settings().events_dir)
