"""Morpho as a venue: it lends, and nothing is traded with it."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.morpho.events import EVENTS, PROTOCOL


class Morpho(Venue):
    """Morpho's markets."""

    name = PROTOCOL
    events = EVENTS
