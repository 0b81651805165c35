"""By how much one live lane saw a transaction before another: measured as sightings pass, kept nowhere.

`mev coverage` answers the same from the store, over any time; this is for a dashboard.
"""

from cachetools import FIFOCache

from mev_dagster.events.types import Lane, TxSeen, lane_name
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.units import NS_PER_SECOND

REMEMBERED = 65_536


class FirstSeen:
    """Remembers the first sighting of each transaction until a second lane has seen it too."""

    def __init__(self, metrics: IngestMetrics) -> None:
        self._metrics = metrics
        self._first: FIFOCache[bytes, tuple[Lane, int] | None] = FIFOCache(REMEMBERED)

    def saw(self, sighting: TxSeen) -> None:
        """Take a sighting. A capture's times are those of its recording, and are compared with nobody's."""
        if sighting.lane is Lane.CAPTURE:
            return
        if sighting.tx_hash not in self._first:
            self._first[sighting.tx_hash] = (sighting.lane, sighting.mono_ns)
            return
        first = self._first.get(sighting.tx_hash)
        if first is None or first[0] is sighting.lane:
            return
        self._first[sighting.tx_hash] = None
        # Lanes stamp before they queue, so a sighting may overtake an earlier one.
        delta_ns = sighting.mono_ns - first[1]
        lane, other = (first[0], sighting.lane) if delta_ns >= 0 else (sighting.lane, first[0])
        self._metrics.first_seen.labels(lane_name(lane), lane_name(other)).observe(
            abs(delta_ns) / NS_PER_SECOND
        )
