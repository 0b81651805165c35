"""Fluid as a venue: its events."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.fluid.events import EVENTS, PROTOCOL


class Fluid(Venue):
    """Pools over a liquidity layer."""

    name = PROTOCOL
    events = EVENTS
