"""Bancor as a venue: its events."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.bancor.events import EVENTS, PROTOCOL


class Bancor(Venue):
    """A network of token pairs."""

    name = PROTOCOL
    events = EVENTS
