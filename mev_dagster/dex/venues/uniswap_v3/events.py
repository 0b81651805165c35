"""What pools of concentrated liquidity and their factory log."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address, check_shape, signed_word, topic, word
from mev_dagster.dex.venue_events import FlashLoanEvent, LiquidityEvent, PoolCreated, SwapEvent, VenueEvent

PROTOCOL = "uniswap_v3"

SWAP_TOPIC = topic("Swap(address,address,int256,int256,uint160,uint128,int24)")
MINT_TOPIC = topic("Mint(address,address,int24,int24,uint128,uint256,uint256)")
BURN_TOPIC = topic("Burn(address,int24,int24,uint128,uint256,uint256)")
FLASH_TOPIC = topic("Flash(address,address,uint256,uint256,uint256,uint256)")
POOL_CREATED_TOPIC = topic("PoolCreated(address,address,uint24,int24,address)")


def decode_swap(log: Log) -> SwapEvent:
    """Decode a Swap log; the event's amounts are already signed as the pool sees them."""
    check_shape(log, "not_a_v3_swap", SWAP_TOPIC, topics=3, size=160)
    amounts = signed_word(log.data, 0), signed_word(log.data, 1)
    return SwapEvent(PROTOCOL, log.address, log.topics[1][12:], log.topics[2][12:], *amounts)


def decode_mint(log: Log) -> LiquidityEvent:
    """Decode a Mint log; owner and ticks name the position."""
    check_shape(log, "not_a_v3_mint", MINT_TOPIC, topics=4, size=128)
    _, liquidity, amount0, amount1 = (word(log.data, index) for index in range(4))
    return _liquidity(log, liquidity, (amount0, amount1))


def decode_burn(log: Log) -> LiquidityEvent:
    """Decode a Burn log: what was taken is negative."""
    check_shape(log, "not_a_v3_burn", BURN_TOPIC, topics=4, size=96)
    liquidity, amount0, amount1 = (word(log.data, index) for index in range(3))
    return _liquidity(log, -liquidity, (-amount0, -amount1))


def _liquidity(log: Log, liquidity: int, amounts: tuple[int, int]) -> LiquidityEvent:
    owner, lower, upper = log.topics[1:]
    return LiquidityEvent(PROTOCOL, log.address, owner[12:], (lower, upper), liquidity, amounts)


def decode_flash(log: Log) -> FlashLoanEvent:
    """Decode a Flash log; what was paid back above the loan is the fee."""
    check_shape(log, "not_a_v3_flash", FLASH_TOPIC, topics=3, size=128)
    amount0, amount1, paid0, paid1 = (word(log.data, index) for index in range(4))
    return FlashLoanEvent(PROTOCOL, log.address, log.topics[2][12:], (amount0, amount1), (paid0, paid1))


def decode_pool_created(log: Log) -> PoolCreated:
    """Decode a PoolCreated log of a factory."""
    check_shape(log, "not_a_v3_pool_created", POOL_CREATED_TOPIC, topics=4, size=64)
    tokens = (log.topics[1][12:], log.topics[2][12:])
    return PoolCreated(PROTOCOL, address(log.data, 1), log.address, tokens)


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {
    SWAP_TOPIC: decode_swap,
    MINT_TOPIC: decode_mint,
    BURN_TOPIC: decode_burn,
    FLASH_TOPIC: decode_flash,
    POOL_CREATED_TOPIC: decode_pool_created,
}
