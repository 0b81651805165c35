"""From logs to swaps: the one table that says which topic belongs to which protocol."""

from collections.abc import Callable, Mapping, Sequence

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.swaps import SwapEvent
from mev_dagster.dex.venues import uniswap_v2, uniswap_v3
from mev_dagster.errors import DecodeError

DECODERS: Mapping[bytes, Callable[[Log], SwapEvent]] = {
    uniswap_v2.SWAP_TOPIC: uniswap_v2.decode_swap,
    uniswap_v3.SWAP_TOPIC: uniswap_v3.decode_swap,
}


def swaps_of(logs: Sequence[Log]) -> tuple[tuple[int, SwapEvent], ...]:
    """Return every swap with the position of its log, in log order.

    Anyone may emit an event with a swap's topic; one whose shape is not the protocol's is not a swap.
    """
    found = []
    for position, log in enumerate(logs):
        decode = DECODERS.get(log.topics[0]) if log.topics else None
        if decode is None:
            continue
        try:
            swap = decode(log)
        except DecodeError:
            continue
        found.append((position, swap))
    return tuple(found)


def reserves_after(logs: Sequence[Log]) -> dict[bytes, tuple[int, int]]:
    """Return the last reserves that every V2 pair announced in these logs."""
    reserves: dict[bytes, tuple[int, int]] = {}
    for log in logs:
        if log.topics and log.topics[0] == uniswap_v2.SYNC_TOPIC and len(log.data) == 64:
            sync = uniswap_v2.decode_sync(log)
            reserves[sync.pair] = (sync.reserve0, sync.reserve1)
    return reserves
