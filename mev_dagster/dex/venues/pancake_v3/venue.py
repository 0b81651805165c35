"""Pancake V3 as a venue: its Swap; what else its pools log is Uniswap V3's."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.pancake_v3.events import EVENTS, PROTOCOL


class PancakeV3(Venue):
    """Pools of concentrated liquidity that share their fees."""

    name = PROTOCOL
    events = EVENTS
