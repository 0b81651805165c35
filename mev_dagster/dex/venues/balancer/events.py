"""What Balancer's pools (V1) and vaults (V2, V3) log; every one names its tokens."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import topic, word
from mev_dagster.dex.event_shape import check_shape, topic_address
from mev_dagster.dex.venue_events import FlashLoanEvent, SwapEvent, VenueEvent

PROTOCOL = "balancer"

V1_SWAP_TOPIC = topic("LOG_SWAP(address,address,address,uint256,uint256)")
V2_SWAP_TOPIC = topic("Swap(bytes32,address,address,uint256,uint256)")
V2_FLASH_LOAN_TOPIC = topic("FlashLoan(address,address,uint256,uint256)")
V3_SWAP_TOPIC = topic("Swap(address,address,address,uint256,uint256,uint256,uint256)")


def decode_v1_swap(log: Log) -> SwapEvent:
    """Decode a LOG_SWAP log of a pool."""
    check_shape(log, "balancer_v1_swap", topics=4, words=2)
    return _swap("balancer_v1", log, topic_address(log, 1), b"")


def decode_v2_swap(log: Log) -> SwapEvent:
    """Decode a Swap log of the vault; the pool's id begins with its address."""
    check_shape(log, "balancer_v2_swap", topics=4, words=2)
    return _swap("balancer_v2", log, log.topics[1][:20], log.topics[1])


def decode_v3_swap(log: Log) -> SwapEvent:
    """Decode a Swap log of the vault; the fee is part of the amount in."""
    check_shape(log, "balancer_v3_swap", topics=4, words=4)
    return _swap("balancer_v3", log, topic_address(log, 1), log.topics[1])


def _swap(protocol: str, log: Log, who: bytes, pool_id: bytes) -> SwapEvent:
    return SwapEvent(
        protocol,
        log.address,
        who,
        who,
        word(log.data, 0),
        -word(log.data, 1),
        tokens=(topic_address(log, 2), topic_address(log, 3)),
        pool_id=pool_id,
        by_address=False,
    )


def decode_flash_loan(log: Log) -> FlashLoanEvent:
    """Decode a FlashLoan log of one token."""
    check_shape(log, "balancer_flash_loan", topics=3, words=2)
    amount, fee = word(log.data, 0), word(log.data, 1)
    return FlashLoanEvent("balancer_v2", log.address, topic_address(log, 1), (amount,), (fee,))


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {
    V1_SWAP_TOPIC: decode_v1_swap,
    V2_SWAP_TOPIC: decode_v2_swap,
    V2_FLASH_LOAN_TOPIC: decode_flash_loan,
    V3_SWAP_TOPIC: decode_v3_swap,
}
