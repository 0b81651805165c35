"""What Maker's peg stability modules log: the coin's amount and the fee in dai, the rest is one to one."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import topic, word
from mev_dagster.dex.event_shape import check_shape, topic_address
from mev_dagster.dex.venue_events import SwapEvent, VenueEvent

PROTOCOL = "maker_psm"

SELL_GEM_TOPIC = topic("SellGem(address,uint256,uint256)")
BUY_GEM_TOPIC = topic("BuyGem(address,uint256,uint256)")

DAI_UNITS = 10**12
"""Units of dai in one of a coin of six decimals; modules for coins of other decimals are not read."""


def decode_sell_gem(log: Log) -> SwapEvent:
    """Decode a SellGem log: coin sold for dai, less the fee."""
    check_shape(log, "psm_sale", topics=2, words=2)
    sold, fee = word(log.data, 0), word(log.data, 1)
    return _swap(log, sold, sold * DAI_UNITS - fee)


def decode_buy_gem(log: Log) -> SwapEvent:
    """Decode a BuyGem log: coin bought for dai, and the fee."""
    check_shape(log, "psm_purchase", topics=2, words=2)
    bought, fee = word(log.data, 0), word(log.data, 1)
    return _swap(log, bought * DAI_UNITS + fee, bought)


def _swap(log: Log, sold: int, bought: int) -> SwapEvent:
    who = topic_address(log, 1)
    return SwapEvent(PROTOCOL, log.address, who, who, sold, -bought, by_address=False)


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {
    SELL_GEM_TOPIC: decode_sell_gem,
    BUY_GEM_TOPIC: decode_buy_gem,
}
