"""DODO as a venue: its events."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.dodo.events import EVENTS, PROTOCOL


class Dodo(Venue):
    """Pools that one maker keeps around a price."""

    name = PROTOCOL
    events = EVENTS
