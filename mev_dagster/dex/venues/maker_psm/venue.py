"""Maker's peg stability modules as a venue: their events."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.maker_psm.events import EVENTS, PROTOCOL


class MakerPsm(Venue):
    """One stable coin against dai."""

    name = PROTOCOL
    events = EVENTS
