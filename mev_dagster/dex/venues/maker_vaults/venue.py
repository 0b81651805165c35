"""MakerVaults as a venue: it lends, and nothing is traded with it."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.maker_vaults.events import EVENTS, PROTOCOL


class MakerVaults(Venue):
    """Maker's vaults."""

    name = PROTOCOL
    events = EVENTS
