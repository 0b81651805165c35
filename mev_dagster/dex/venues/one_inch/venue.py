"""OneInch as a venue: its orders, and no pool."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.one_inch.events import EVENTS, PROTOCOL


class OneInch(Venue):
    """1inch's orders: signed by makers, filled by whoever finds what they ask for."""

    name = PROTOCOL
    events = EVENTS
