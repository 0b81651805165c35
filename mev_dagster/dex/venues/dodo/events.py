"""What DODO's pools log: the first version names no token, the second all of it."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address, topic, word
from mev_dagster.dex.event_shape import check_shape, topic_address
from mev_dagster.dex.venue_events import SwapEvent, VenueEvent

PROTOCOL = "dodo"

SELL_BASE_TOPIC = topic("SellBaseToken(address,uint256,uint256)")
BUY_BASE_TOPIC = topic("BuyBaseToken(address,uint256,uint256)")
SWAP_TOPIC = topic("DODOSwap(address,address,uint256,uint256,address,address)")


def decode_sell_base(log: Log) -> SwapEvent:
    """Decode a SellBaseToken log: base paid, quote received."""
    check_shape(log, "dodo_sell", topics=2, words=2)
    return _first(log, word(log.data, 0), word(log.data, 1))


def decode_buy_base(log: Log) -> SwapEvent:
    """Decode a BuyBaseToken log: base received, quote paid."""
    check_shape(log, "dodo_buy", topics=2, words=2)
    return _first(log, word(log.data, 1), word(log.data, 0))


def _first(log: Log, sold: int, bought: int) -> SwapEvent:
    who = topic_address(log, 1)
    return SwapEvent("dodo_v1", log.address, who, who, sold, -bought, by_address=False)


def decode_swap(log: Log) -> SwapEvent:
    """Decode a DODOSwap log."""
    check_shape(log, "dodo_swap", topics=1, words=6)
    sold, bought = word(log.data, 2), word(log.data, 3)
    tokens, trader, receiver = (
        (address(log.data, 0), address(log.data, 1)),
        address(log.data, 4),
        address(log.data, 5),
    )
    return SwapEvent("dodo_v2", log.address, trader, receiver, sold, -bought, tokens, by_address=False)


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {
    SELL_BASE_TOPIC: decode_sell_base,
    BUY_BASE_TOPIC: decode_buy_base,
    SWAP_TOPIC: decode_swap,
}
