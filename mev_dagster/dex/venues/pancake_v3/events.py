"""What Pancake's pools of concentrated liquidity log."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import signed_word, topic
from mev_dagster.dex.event_shape import check_shape, topic_address
from mev_dagster.dex.venue_events import SwapEvent, VenueEvent

PROTOCOL = "pancake_v3"

SWAP_TOPIC = topic("Swap(address,address,int256,int256,uint160,uint128,int24,uint128,uint128)")


def decode_swap(log: Log) -> SwapEvent:
    """Decode a Swap log; the protocol's fees are part of the amounts."""
    check_shape(log, "pancake_v3_swap", topics=3, words=7)
    amounts = signed_word(log.data, 0), signed_word(log.data, 1)
    return SwapEvent(PROTOCOL, log.address, topic_address(log, 1), topic_address(log, 2), *amounts)


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {SWAP_TOPIC: decode_swap}
