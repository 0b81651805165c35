"""What Bancor's network logs of each conversion."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address, topic, word
from mev_dagster.dex.event_shape import check_shape, topic_address
from mev_dagster.dex.venue_events import SwapEvent, VenueEvent

PROTOCOL = "bancor"

V2_CONVERSION_TOPIC = topic("Conversion(address,address,address,uint256,uint256,int256)")
V3_TRADED_TOPIC = topic(
    "TokensTraded(bytes32,address,address,uint256,uint256,uint256,uint256,uint256,address)"
)


def decode_conversion(log: Log) -> SwapEvent:
    """Decode a Conversion log of a converter."""
    check_shape(log, "bancor_conversion", topics=4, words=3)
    trader, tokens = topic_address(log, 3), (topic_address(log, 1), topic_address(log, 2))
    sold, bought = word(log.data, 0), word(log.data, 1)
    return SwapEvent("bancor_v2", log.address, trader, trader, sold, -bought, tokens, by_address=False)


def decode_traded(log: Log) -> SwapEvent:
    """Decode a TokensTraded log of the network."""
    check_shape(log, "bancor_trade", topics=4, words=6)
    trader, tokens = address(log.data, 5), (topic_address(log, 2), topic_address(log, 3))
    sold, bought = word(log.data, 0), word(log.data, 1)
    return SwapEvent("bancor_v3", log.address, trader, trader, sold, -bought, tokens, by_address=False)


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {
    V2_CONVERSION_TOPIC: decode_conversion,
    V3_TRADED_TOPIC: decode_traded,
}
