"""What Native logs of a maker's quote that was filled."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address, topic, word
from mev_dagster.dex.event_shape import check_shape
from mev_dagster.dex.venue_events import SwapEvent, VenueEvent

PROTOCOL = "native"

RFQ_TRADE_TOPIC = topic("RFQTrade(address,address,address,uint256,uint256,bytes16,address)")


def decode_trade(log: Log) -> SwapEvent:
    """Decode an RFQTrade log; the signer of the quote tells one maker from another."""
    check_shape(log, "native_trade", topics=1, words=7)
    who, tokens = address(log.data, 0), (address(log.data, 1), address(log.data, 2))
    sold, bought, signer = word(log.data, 3), word(log.data, 4), log.data[192:224]
    return SwapEvent(PROTOCOL, log.address, who, who, sold, -bought, tokens, pool_id=signer, by_address=False)


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {RFQ_TRADE_TOPIC: decode_trade}
