"""Ekubo as a venue: its events."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.ekubo.events import EVENTS, PROTOCOL


class Ekubo(Venue):
    """Pools inside one contract."""

    name = PROTOCOL
    events = EVENTS
