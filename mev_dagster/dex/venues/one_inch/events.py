"""What 1inch's limit order protocol logs; its routers' swaps are those of the pools they go through."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import topic
from mev_dagster.dex.event_shape import check_shape, topic_address
from mev_dagster.dex.venue_events import OrderFilled, VenueEvent

PROTOCOL = "1inch"

V3_TOPIC = topic("OrderFilled(address,bytes32,uint256)")
"""Of the third version of the protocol, which is part of the fifth router."""
V4_TOPIC = topic("OrderFilled(bytes32,uint256)")


def decode_v3(log: Log) -> OrderFilled:
    """Decode an OrderFilled log that names the maker."""
    check_shape(log, "1inch_order", topics=2, words=2)
    return OrderFilled(PROTOCOL, log.address, topic_address(log, 1))


def decode_v4(log: Log) -> OrderFilled:
    """Decode an OrderFilled log of the fourth version: the order's hash and what is left of it."""
    check_shape(log, "1inch_order", topics=1, words=2)
    return OrderFilled(PROTOCOL, log.address, None)


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {V3_TOPIC: decode_v3, V4_TOPIC: decode_v4}
