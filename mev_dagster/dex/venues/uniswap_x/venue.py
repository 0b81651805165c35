"""UniswapX as a venue: its orders, and no pool."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.uniswap_x.events import EVENTS, PROTOCOL


class UniswapX(Venue):
    """UniswapX: orders whose price falls until somebody fills them."""

    name = PROTOCOL
    events = EVENTS
