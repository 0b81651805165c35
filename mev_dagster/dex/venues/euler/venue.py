"""Euler as a venue: it lends, and nothing is traded with it."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.euler.events import EVENTS, PROTOCOL


class Euler(Venue):
    """Euler's vaults."""

    name = PROTOCOL
    events = EVENTS
