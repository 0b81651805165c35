"""What Aave's markets log (V1, V2, V3); Spark is a fork of V3 and logs the same."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address, topic, word
from mev_dagster.dex.event_shape import check_shape, topic_address
from mev_dagster.dex.venue_events import FlashLoanEvent, LiquidationEvent, VenueEvent

PROTOCOL = "aave"

LIQUIDATION_TOPIC = topic("LiquidationCall(address,address,address,uint256,uint256,address,bool)")
V1_LIQUIDATION_TOPIC = topic(
    "LiquidationCall(address,address,address,uint256,uint256,uint256,address,bool,uint256)"
)
V1_FLASH_LOAN_TOPIC = topic("FlashLoan(address,address,uint256,uint256,uint256,uint256)")
V2_FLASH_LOAN_TOPIC = topic("FlashLoan(address,address,address,uint256,uint256,uint16)")
V3_FLASH_LOAN_TOPIC = topic("FlashLoan(address,address,address,uint256,uint8,uint256,uint16)")


def decode_liquidation(log: Log) -> LiquidationEvent:
    """Decode a LiquidationCall log of the second or third version."""
    check_shape(log, "aave_liquidation", topics=4, words=4)
    return _liquidation(log, address(log.data, 2))


def decode_v1_liquidation(log: Log) -> LiquidationEvent:
    """Decode a LiquidationCall log of the first version, with interest and time beside."""
    check_shape(log, "aave_v1_liquidation", topics=4, words=6)
    return _liquidation(log, address(log.data, 3))


def _liquidation(log: Log, liquidator: bytes) -> LiquidationEvent:
    collateral, debt, borrower = (topic_address(log, index) for index in (1, 2, 3))
    return LiquidationEvent(
        PROTOCOL,
        log.address,
        borrower,
        liquidator,
        debt,
        word(log.data, 0),
        collateral,
        word(log.data, 1),
    )


def decode_v1_flash_loan(log: Log) -> FlashLoanEvent:
    """Decode a FlashLoan log of the first version: amount, fee and what of it the protocol keeps."""
    check_shape(log, "aave_v1_flash_loan", topics=3, words=4)
    return _flash_loan(log, word(log.data, 0), word(log.data, 1))


def decode_v2_flash_loan(log: Log) -> FlashLoanEvent:
    """Decode a FlashLoan log of the second version."""
    check_shape(log, "aave_v2_flash_loan", topics=4, words=3)
    return _flash_loan(log, word(log.data, 0), word(log.data, 1))


def decode_v3_flash_loan(log: Log) -> FlashLoanEvent:
    """Decode a FlashLoan log of the third version; initiator and amount are not indexed there."""
    check_shape(log, "aave_v3_flash_loan", topics=4, words=4)
    return _flash_loan(log, word(log.data, 1), word(log.data, 3))


def _flash_loan(log: Log, amount: int, fee: int) -> FlashLoanEvent:
    return FlashLoanEvent(PROTOCOL, log.address, topic_address(log, 1), (amount,), (fee,))


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {
    LIQUIDATION_TOPIC: decode_liquidation,
    V1_LIQUIDATION_TOPIC: decode_v1_liquidation,
    V1_FLASH_LOAN_TOPIC: decode_v1_flash_loan,
    V2_FLASH_LOAN_TOPIC: decode_v2_flash_loan,
    V3_FLASH_LOAN_TOPIC: decode_v3_flash_loan,
}
