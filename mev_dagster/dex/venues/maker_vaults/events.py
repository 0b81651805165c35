"""What Maker's auctions log of a purchase: amounts are in the vault engine's own units."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import topic, word
from mev_dagster.dex.event_shape import check_shape, topic_address
from mev_dagster.dex.venue_events import LiquidationEvent, VenueEvent

PROTOCOL = "maker"

TAKE_TOPIC = topic("Take(uint256,uint256,uint256,uint256,uint256,uint256,address)")
RAY = 10**27


def decode_take(log: Log) -> LiquidationEvent:
    """Decode a Take log of a Dutch auction: what was paid (`owe`, in rad) and the price (in ray).

    The owner of the vault is named, whose debt it was; who bought is whoever holds more. Which tokens they
    are is told by what moved.
    """
    check_shape(log, "maker_take", topics=3, words=5)
    price, owe = word(log.data, 1), word(log.data, 2)
    taken = owe // price if price else 0
    return LiquidationEvent(
        PROTOCOL, log.address, topic_address(log, 2), bytes(20), bytes(20), owe // RAY, bytes(20), taken
    )


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {TAKE_TOPIC: decode_take}
