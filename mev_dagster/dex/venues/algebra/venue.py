"""Algebra as a venue: its Swap; what else its pools log is Uniswap V3's."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.algebra.events import EVENTS, PROTOCOL


class Algebra(Venue):
    """Pools of concentrated liquidity with plug-ins."""

    name = PROTOCOL
    events = EVENTS
