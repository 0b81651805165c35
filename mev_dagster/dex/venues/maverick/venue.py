"""Maverick as a venue: its events."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.maverick.events import EVENTS, PROTOCOL


class Maverick(Venue):
    """Pools whose liquidity moves with the price."""

    name = PROTOCOL
    events = EVENTS
