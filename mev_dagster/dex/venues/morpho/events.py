"""What Morpho logs. A market is named by a hash of its parameters, so what moved tells the tokens."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import topic, word
from mev_dagster.dex.event_shape import check_shape, topic_address
from mev_dagster.dex.venue_events import FlashLoanEvent, LiquidationEvent, VenueEvent

PROTOCOL = "morpho"

LIQUIDATE_TOPIC = topic("Liquidate(bytes32,address,address,uint256,uint256,uint256,uint256,uint256)")
FLASH_LOAN_TOPIC = topic("FlashLoan(address,address,uint256)")


def decode_liquidation(log: Log) -> LiquidationEvent:
    """Decode a Liquidate log: assets repaid and seized, and what of the debt is lost for good."""
    check_shape(log, "morpho_liquidation", topics=4, words=5)
    liquidator, borrower = topic_address(log, 2), topic_address(log, 3)
    repaid, seized = word(log.data, 0), word(log.data, 2)
    return LiquidationEvent(PROTOCOL, log.address, borrower, liquidator, bytes(20), repaid, bytes(20), seized)


def decode_flash_loan(log: Log) -> FlashLoanEvent:
    """Decode a FlashLoan log: it costs nothing."""
    check_shape(log, "morpho_flash_loan", topics=3, words=1)
    return FlashLoanEvent(PROTOCOL, log.address, topic_address(log, 1), (word(log.data, 0),), (0,))


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {
    LIQUIDATE_TOPIC: decode_liquidation,
    FLASH_LOAN_TOPIC: decode_flash_loan,
}
