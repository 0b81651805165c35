"""0x as a venue: the filled orders of its fourth version."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.zero_ex.calls import CALLS
from mev_dagster.dex.venues.zero_ex.events import EVENTS, PROTOCOL


class ZeroEx(Venue):
    """Orders of makers."""

    name = PROTOCOL
    events = EVENTS
    calls = CALLS
