"""Kyber as a venue: its events."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.kyber.events import EVENTS, PROTOCOL


class Kyber(Venue):
    """Amplified pairs."""

    name = PROTOCOL
    events = EVENTS
