"""Uniswap V4 as a venue: its events, and the tokens of a pool by its key. Its pools are not quoted yet."""

from collections.abc import Sequence

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venue_events import SwapEvent
from mev_dagster.dex.venues.uniswap_v4.calls import CALLS
from mev_dagster.dex.venues.uniswap_v4.events import EVENTS, PROTOCOL
from mev_dagster.dex.venues.uniswap_v4.key import find_key, key_of_call


class UniswapV4(Venue):
    """Pools inside one contract, native ether among their tokens."""

    name = PROTOCOL
    events = EVENTS
    calls = CALLS

    def tokens(
        self, event: SwapEvent, moved: Sequence[bytes], calls: Sequence[bytes]
    ) -> tuple[bytes, bytes] | None:
        """Return the currencies of the key that hashes to the pool's id."""
        for data in calls:
            key = key_of_call(data)
            if key is not None and key.pool_id == event.pool_id:
                return key.currency0, key.currency1
        if not moved:
            return None
        found = find_key(event.pool_id, event.fee_ppm or 0, moved, calls[0] if calls else b"")
        return (found.currency0, found.currency1) if found else None
