"""Balancer as a venue: the events of all three versions."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.balancer.calls import CALLS
from mev_dagster.dex.venues.balancer.events import EVENTS, PROTOCOL


class Balancer(Venue):
    """Pools and vaults of many tokens."""

    name = PROTOCOL
    events = EVENTS
    calls = CALLS
