"""Cow as a venue: its orders, and no pool."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.cow.events import EVENTS, PROTOCOL


class Cow(Venue):
    """CoW's settlements: a batch of users' orders at one price a token."""

    name = PROTOCOL
    events = EVENTS
