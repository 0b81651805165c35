"""What pairs and their factory log."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import address, check_shape, topic, word
from mev_dagster.dex.venue_events import LiquidityEvent, PoolCreated, ReservesEvent, SwapEvent, VenueEvent

PROTOCOL = "uniswap_v2"

SWAP_TOPIC = topic("Swap(address,uint256,uint256,uint256,uint256,address)")
SYNC_TOPIC = topic("Sync(uint112,uint112)")
MINT_TOPIC = topic("Mint(address,uint256,uint256)")
BURN_TOPIC = topic("Burn(address,uint256,uint256,address)")
PAIR_CREATED_TOPIC = topic("PairCreated(address,address,address,uint256)")


def decode_sync(log: Log) -> ReservesEvent:
    """Decode a Sync log."""
    check_shape(log, "not_a_v2_sync", SYNC_TOPIC, topics=1, size=64)
    return ReservesEvent(PROTOCOL, log.address, (word(log.data, 0), word(log.data, 1)))


def decode_swap(log: Log) -> SwapEvent:
    """Decode a Swap log. A swap that paid in both tokens is netted per token."""
    check_shape(log, "not_a_v2_swap", SWAP_TOPIC, topics=3, size=128)
    in0, in1, out0, out1 = (word(log.data, index) for index in range(4))
    sender, recipient = log.topics[1][12:], log.topics[2][12:]
    return SwapEvent(PROTOCOL, log.address, sender, recipient, in0 - out0, in1 - out1)


def decode_mint(log: Log) -> LiquidityEvent:
    """Decode a Mint log; how many shares it made, the pair's own Transfer log tells."""
    check_shape(log, "not_a_v2_mint", MINT_TOPIC, topics=2, size=64)
    amounts = (word(log.data, 0), word(log.data, 1))
    return LiquidityEvent(PROTOCOL, log.address, log.topics[1][12:], (), 0, amounts)


def decode_burn(log: Log) -> LiquidityEvent:
    """Decode a Burn log: what was taken is negative."""
    check_shape(log, "not_a_v2_burn", BURN_TOPIC, topics=3, size=64)
    amounts = (-word(log.data, 0), -word(log.data, 1))
    return LiquidityEvent(PROTOCOL, log.address, log.topics[2][12:], (), 0, amounts)


def decode_pair_created(log: Log) -> PoolCreated:
    """Decode a PairCreated log of a factory."""
    check_shape(log, "not_a_v2_pair_created", PAIR_CREATED_TOPIC, topics=3, size=64)
    tokens = (log.topics[1][12:], log.topics[2][12:])
    return PoolCreated(PROTOCOL, address(log.data, 0), log.address, tokens)


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {
    SWAP_TOPIC: decode_swap,
    SYNC_TOPIC: decode_sync,
    MINT_TOPIC: decode_mint,
    BURN_TOPIC: decode_burn,
    PAIR_CREATED_TOPIC: decode_pair_created,
}
