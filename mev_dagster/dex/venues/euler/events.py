"""What Euler's markets (V1) and vaults (V2) log of a liquidation."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address, topic, word
from mev_dagster.dex.event_shape import check_shape, topic_address
from mev_dagster.dex.venue_events import LiquidationEvent, VenueEvent

PROTOCOL = "euler"

V1_LIQUIDATION_TOPIC = topic(
    "Liquidation(address,address,address,address,uint256,uint256,uint256,uint256,uint256)"
)
V2_LIQUIDATE_TOPIC = topic("Liquidate(address,address,address,uint256,uint256)")


def decode_v1_liquidation(log: Log) -> LiquidationEvent:
    """Decode a Liquidation log: debt and collateral are named as the tokens that were lent."""
    check_shape(log, "euler_v1_liquidation", topics=4, words=6)
    liquidator, borrower, debt = (topic_address(log, index) for index in (1, 2, 3))
    collateral, repaid, taken = address(log.data, 0), word(log.data, 1), word(log.data, 2)
    return LiquidationEvent(PROTOCOL, log.address, borrower, liquidator, debt, repaid, collateral, taken)


def decode_v2_liquidation(log: Log) -> LiquidationEvent:
    """Decode a Liquidate log of a vault: a debt in its asset, secured by another vault's shares."""
    check_shape(log, "euler_v2_liquidation", topics=3, words=3)
    liquidator, borrower = topic_address(log, 1), topic_address(log, 2)
    collateral, repaid, shares = address(log.data, 0), word(log.data, 1), word(log.data, 2)
    return LiquidationEvent(
        PROTOCOL, log.address, borrower, liquidator, log.address, repaid, collateral, shares
    )


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {
    V1_LIQUIDATION_TOPIC: decode_v1_liquidation,
    V2_LIQUIDATE_TOPIC: decode_v2_liquidation,
}
