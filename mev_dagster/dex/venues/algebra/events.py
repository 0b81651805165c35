"""What pools of Algebra Integral log."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import signed_word, topic
from mev_dagster.dex.event_shape import check_shape, topic_address
from mev_dagster.dex.venue_events import SwapEvent, VenueEvent

PROTOCOL = "algebra"

SWAP_TOPIC = topic("Swap(address,address,int256,int256,uint160,uint128,int24,uint24,uint24)")


def decode_swap(log: Log) -> SwapEvent:
    """Decode a Swap log: that of Uniswap V3 with the fees of hook and plug-in behind it."""
    check_shape(log, "algebra_swap", topics=3, words=7)
    amounts = signed_word(log.data, 0), signed_word(log.data, 1)
    return SwapEvent(PROTOCOL, log.address, topic_address(log, 1), topic_address(log, 2), *amounts)


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {SWAP_TOPIC: decode_swap}
