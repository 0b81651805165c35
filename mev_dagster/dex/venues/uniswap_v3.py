"""Uniswap V3 and its forks: the Swap event."""

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import signed_word, topic
from mev_dagster.dex.swaps import Protocol, SwapEvent
from mev_dagster.errors import DecodeError

SWAP_TOPIC = topic("Swap(address,address,int256,int256,uint160,uint128,int24)")


def decode_swap(log: Log) -> SwapEvent:
    """Decode a Swap log; the event's amounts are already signed as the pool sees them."""
    if len(log.topics) != 3 or log.topics[0] != SWAP_TOPIC or len(log.data) != 160:
        raise DecodeError("not_a_v3_swap", f"{len(log.topics)} topics, {len(log.data)} bytes")
    return SwapEvent(
        Protocol.UNISWAP_V3,
        log.address,
        log.topics[1][12:],
        log.topics[2][12:],
        signed_word(log.data, 0),
        signed_word(log.data, 1),
    )
