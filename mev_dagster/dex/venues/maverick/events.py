"""What Maverick's pools log."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address, topic, word
from mev_dagster.dex.event_shape import check_shape
from mev_dagster.dex.venue_events import SwapEvent, VenueEvent

PROTOCOL = "maverick"

V1_SWAP_TOPIC = topic("Swap(address,address,bool,bool,uint256,uint256,int32)")
V2_SWAP_TOPIC = topic("PoolSwap(address,address,(uint256,bool,bool,int32),uint256,uint256)")


def decode_v1_swap(log: Log) -> SwapEvent:
    """Decode a Swap log of the first version."""
    check_shape(log, "maverick_v1_swap", topics=1, words=7)
    return _swap("maverick_v1", log, word(log.data, 4), word(log.data, 5))


def decode_v2_swap(log: Log) -> SwapEvent:
    """Decode a PoolSwap log: what was asked stands before what was swapped."""
    check_shape(log, "maverick_v2_swap", topics=1, words=8)
    return _swap("maverick_v2", log, word(log.data, 6), word(log.data, 7))


def _swap(protocol: str, log: Log, sold: int, bought: int) -> SwapEvent:
    sender, recipient = address(log.data, 0), address(log.data, 1)
    return SwapEvent(protocol, log.address, sender, recipient, sold, -bought, by_address=False)


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {
    V1_SWAP_TOPIC: decode_v1_swap,
    V2_SWAP_TOPIC: decode_v2_swap,
}
