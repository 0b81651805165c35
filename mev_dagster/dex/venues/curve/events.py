"""What Curve's pools log: coins by index, so the transfers say which tokens they are."""

from collections.abc import Callable, Mapping
from functools import partial

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import topic, word
from mev_dagster.dex.event_shape import check_shape, topic_address
from mev_dagster.dex.venue_events import SwapEvent, VenueEvent

PROTOCOL = "curve"

_WORDS = {
    "TokenExchange(address,int128,uint256,int128,uint256)": 4,
    "TokenExchangeUnderlying(address,int128,uint256,int128,uint256)": 4,
    "TokenExchange(address,uint256,uint256,uint256,uint256)": 4,
    "TokenExchangeUnderlying(address,uint256,uint256,uint256,uint256)": 4,
    "TokenExchange(address,uint256,uint256,uint256,uint256,uint256,uint256)": 6,
}
"""Event -> words of its data: stable, its metapools, crypto, their metapools, and the new generation."""


def decode_swap(log: Log, *, words: int) -> SwapEvent:
    """Decode a TokenExchange log: sold index and amount, bought index and amount."""
    check_shape(log, "curve_swap", topics=2, words=words)
    buyer = topic_address(log, 1)
    sold, bought = word(log.data, 1), word(log.data, 3)
    return SwapEvent(PROTOCOL, log.address, buyer, buyer, sold, -bought, by_address=False)


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {
    topic(signature): partial(decode_swap, words=words) for signature, words in _WORDS.items()
}
