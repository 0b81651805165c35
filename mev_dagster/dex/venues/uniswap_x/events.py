"""What UniswapX's reactors log of a filled order."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import topic
from mev_dagster.dex.event_shape import check_shape, topic_address
from mev_dagster.dex.venue_events import OrderFilled, VenueEvent

PROTOCOL = "uniswap_x"

FILL_TOPIC = topic("Fill(bytes32,address,address,uint256)")


def decode_fill(log: Log) -> OrderFilled:
    """Decode a Fill log: the order, who filled it, whose it was, and its nonce."""
    check_shape(log, "uniswap_x_fill", topics=4, words=1)
    return OrderFilled(PROTOCOL, log.address, topic_address(log, 3))


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {FILL_TOPIC: decode_fill}
