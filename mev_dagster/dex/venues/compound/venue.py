"""Compound as a venue: it lends, and nothing is traded with it."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.compound.calls import CALLS
from mev_dagster.dex.venues.compound.events import EVENTS


class Compound(Venue):
    """Compound's lending markets (V2 with its forks, V3)."""

    name = "compound"
    events = EVENTS
    calls = CALLS
