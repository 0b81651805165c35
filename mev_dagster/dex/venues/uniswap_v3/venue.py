"""Uniswap V3 as a venue: its events. Its pools are not quoted yet, so none is recognised by its code."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.uniswap_v3.calls import CALLS
from mev_dagster.dex.venues.uniswap_v3.events import EVENTS, PROTOCOL


class UniswapV3(Venue):
    """Pools of concentrated liquidity."""

    name = PROTOCOL
    events = EVENTS
    calls = CALLS
