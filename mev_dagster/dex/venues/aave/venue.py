"""Aave as a venue: it lends, and nothing is traded with it."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.aave.calls import CALLS
from mev_dagster.dex.venues.aave.events import EVENTS, PROTOCOL


class Aave(Venue):
    """Aave's lending markets and those of its forks, Spark's too."""

    name = PROTOCOL
    events = EVENTS
    calls = CALLS
