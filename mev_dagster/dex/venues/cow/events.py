"""What CoW's settlement logs of each order; what was traded is told by what moved."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import topic
from mev_dagster.dex.event_shape import check_shape, topic_address
from mev_dagster.dex.venue_events import OrderFilled, VenueEvent

PROTOCOL = "cow"

TRADE_TOPIC = topic("Trade(address,address,address,uint256,uint256,uint256,bytes)")


def decode_trade(log: Log) -> OrderFilled:
    """Decode a Trade log: two tokens, three amounts, and the order's identifier of 56 bytes."""
    check_shape(log, "cow_trade", topics=2, words=9)
    return OrderFilled(PROTOCOL, log.address, topic_address(log, 1))


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {TRADE_TOPIC: decode_trade}
