"""Native as a venue: its events."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.native.events import EVENTS, PROTOCOL


class Native(Venue):
    """Quotes of makers."""

    name = PROTOCOL
    events = EVENTS
