"""Curve as a venue: its events."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.curve.calls import CALLS
from mev_dagster.dex.venues.curve.events import EVENTS, PROTOCOL


class Curve(Venue):
    """Pools that swap by the indices of their coins."""

    name = PROTOCOL
    events = EVENTS
    calls = CALLS
