"""What Kyber's amplified pairs log."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import topic, word
from mev_dagster.dex.event_shape import check_shape, topic_address
from mev_dagster.dex.venue_events import SwapEvent, VenueEvent

PROTOCOL = "kyber"

SWAP_TOPIC = topic("Swap(address,uint256,uint256,uint256,uint256,address,uint256)")


def decode_swap(log: Log) -> SwapEvent:
    """Decode a Swap log: that of a Uniswap V2 pair with the fee behind it."""
    check_shape(log, "kyber_swap", topics=3, words=5)
    in0, in1, out0, out1 = (word(log.data, index) for index in range(4))
    return SwapEvent(
        PROTOCOL, log.address, topic_address(log, 1), topic_address(log, 2), in0 - out0, in1 - out1
    )


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {SWAP_TOPIC: decode_swap}
