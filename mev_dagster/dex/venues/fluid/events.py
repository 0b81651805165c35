"""What Fluid's pools log. Their tokens move through the liquidity layer, never through the pool."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address, topic, word
from mev_dagster.dex.event_shape import check_shape
from mev_dagster.dex.venue_events import SwapEvent, VenueEvent

PROTOCOL = "fluid"

SWAP_TOPIC = topic("Swap(bool,uint256,uint256,address)")


def decode_swap(log: Log) -> SwapEvent:
    """Decode a Swap log: direction, amount in, amount out, who got it."""
    check_shape(log, "fluid_swap", topics=1, words=4)
    sold, bought, recipient = word(log.data, 1), word(log.data, 2), address(log.data, 3)
    return SwapEvent(PROTOCOL, log.address, recipient, recipient, sold, -bought, by_address=False)


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {SWAP_TOPIC: decode_swap}
