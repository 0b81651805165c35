"""What 0x logs of the orders of makers that were filled: the maker sells its token for the taker's."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address, topic, word
from mev_dagster.dex.event_shape import check_shape
from mev_dagster.dex.venue_events import SwapEvent, VenueEvent

PROTOCOL = "0x"

RFQ_TOPIC = topic("RfqOrderFilled(bytes32,address,address,address,address,uint128,uint128,bytes32)")
OTC_TOPIC = topic("OtcOrderFilled(bytes32,address,address,address,address,uint128,uint128)")
LIMIT_TOPIC = topic(
    "LimitOrderFilled(bytes32,address,address,address,address,address,uint128,uint128,uint128,uint256,bytes32)"
)


def decode_rfq(log: Log) -> SwapEvent:
    """Decode an RfqOrderFilled log."""
    check_shape(log, "0x_rfq", topics=1, words=8)
    return _swap(log, 3)


def decode_limit(log: Log) -> SwapEvent:
    """Decode a LimitOrderFilled log: that of a quote with a fee's recipient before the tokens."""
    check_shape(log, "0x_limit_order", topics=1, words=11)
    return _swap(log, 4)


def decode_otc(log: Log) -> SwapEvent:
    """Decode an OtcOrderFilled log: what the maker gave stands first."""
    check_shape(log, "0x_otc", topics=1, words=7)
    return _swap(log, 3, maker_first=True)


def _swap(log: Log, tokens_at: int, *, maker_first: bool = False) -> SwapEvent:
    maker, taker = address(log.data, 1), address(log.data, 2)
    maker_token, taker_token = address(log.data, tokens_at), address(log.data, tokens_at + 1)
    amounts = word(log.data, tokens_at + 2), word(log.data, tokens_at + 3)
    bought, sold = amounts if maker_first else amounts[::-1]
    return SwapEvent(
        PROTOCOL,
        log.address,
        taker,
        taker,
        sold,
        -bought,
        (taker_token, maker_token),
        pool_id=log.data[32:64],
        by_address=False,
        maker=maker,
    )


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {
    RFQ_TOPIC: decode_rfq,
    LIMIT_TOPIC: decode_limit,
    OTC_TOPIC: decode_otc,
}
