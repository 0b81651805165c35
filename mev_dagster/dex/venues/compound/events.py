"""What Compound's markets log.

In V2 debt and collateral are market tokens. In V3 a market absorbs the debt itself, and sells what secured it
to whoever pays for it: that sale is a trade, and its buyer the one who earns.
"""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address, topic, word
from mev_dagster.dex.event_shape import check_shape, topic_address
from mev_dagster.dex.venue_events import LiquidationEvent, VenueEvent

V2, V3 = "compound_v2", "compound_v3"

LIQUIDATE_TOPIC = topic("LiquidateBorrow(address,address,uint256,address,uint256)")
ABSORB_COLLATERAL_TOPIC = topic("AbsorbCollateral(address,address,address,uint256,uint256)")


def decode_liquidation(log: Log) -> LiquidationEvent:
    """Decode a LiquidateBorrow log of a market."""
    check_shape(log, "compound_liquidation", topics=1, words=5)
    liquidator, borrower, collateral = (address(log.data, index) for index in (0, 1, 3))
    repaid, seized = word(log.data, 2), word(log.data, 4)
    return LiquidationEvent(V2, log.address, borrower, liquidator, log.address, repaid, collateral, seized)


def decode_absorbed(log: Log) -> LiquidationEvent:
    """Decode an AbsorbCollateral log: the market takes collateral, and nobody else pays or gets anything."""
    check_shape(log, "compound_absorption", topics=4, words=2)
    absorber, borrower, asset = (topic_address(log, index) for index in (1, 2, 3))
    return LiquidationEvent(V3, log.address, borrower, absorber, log.address, 0, asset, word(log.data, 0))


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {
    LIQUIDATE_TOPIC: decode_liquidation,
    ABSORB_COLLATERAL_TOPIC: decode_absorbed,
}
