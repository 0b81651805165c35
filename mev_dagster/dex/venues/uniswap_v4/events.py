"""What the pool manager logs. Amounts there are the swapper's: what the pool gained has the other sign."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address, signed_word, topic
from mev_dagster.dex.event_shape import check_shape, topic_address
from mev_dagster.dex.venue_events import LiquidityEvent, PoolCreated, SwapEvent, VenueEvent

PROTOCOL = "uniswap_v4"

SWAP_TOPIC = topic("Swap(bytes32,address,int128,int128,uint160,uint128,int24,uint24)")
MODIFY_LIQUIDITY_TOPIC = topic("ModifyLiquidity(bytes32,address,int24,int24,int256,bytes32)")
INITIALIZE_TOPIC = topic("Initialize(bytes32,address,address,uint24,int24,address,uint160,int24)")


def decode_swap(log: Log) -> SwapEvent:
    """Decode a Swap log. Who gets the output is settled elsewhere; the swapper stands for it."""
    check_shape(log, "v4_swap", topics=3, words=6)
    swapper = topic_address(log, 2)
    amounts = -signed_word(log.data, 0), -signed_word(log.data, 1)
    fee_ppm = signed_word(log.data, 5)
    return SwapEvent(
        PROTOCOL, log.address, swapper, swapper, *amounts, pool_id=log.topics[1], fee_ppm=fee_ppm
    )


def decode_modify_liquidity(log: Log) -> LiquidityEvent:
    """Decode a ModifyLiquidity log; the amounts that follow from it leave no log."""
    check_shape(log, "v4_liquidity", topics=3, words=4)
    lower, upper, salt = log.data[:32], log.data[32:64], log.data[96:128]
    position = (log.topics[1], lower, upper, salt)
    return LiquidityEvent(
        PROTOCOL, log.address, topic_address(log, 2), position, signed_word(log.data, 2), ()
    )


def decode_initialize(log: Log) -> PoolCreated:
    """Decode an Initialize log, the one that tells a pool's key."""
    check_shape(log, "v4_initialize", topics=4, words=5)
    tokens = (topic_address(log, 2), topic_address(log, 3))
    return PoolCreated(PROTOCOL, log.address, log.address, tokens, log.topics[1], address(log.data, 2))


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {
    SWAP_TOPIC: decode_swap,
    MODIFY_LIQUIDITY_TOPIC: decode_modify_liquidity,
    INITIALIZE_TOPIC: decode_initialize,
}
