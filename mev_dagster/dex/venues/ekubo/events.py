"""What Ekubo's core logs: packed bytes without a topic, so the contract's address vouches for them."""

from collections.abc import Callable, Mapping

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.venue_events import SwapEvent, VenueEvent
from mev_dagster.errors import DecodeError

PROTOCOL = "ekubo"

CORE = bytes.fromhex("e0e0e08a6a4b9dc7bd67bcb7aade5cf48157d444")
SWAP_BYTES = 116
"""Locker (20), pool id (32), two balance changes (16 each), liquidity, price and tick behind the swap."""


def decode_swap(log: Log) -> SwapEvent:
    """Decode a swap; the changes are the pool's."""
    if log.topics or len(log.data) != SWAP_BYTES or log.address != CORE:
        raise DecodeError("not_an_ekubo_swap", f"{len(log.topics)} topics, {len(log.data)} bytes")
    locker, pool_id = log.data[:20], log.data[20:52]
    amount0, amount1 = (int.from_bytes(log.data[at : at + 16], "big", signed=True) for at in (52, 68))
    return SwapEvent(PROTOCOL, log.address, locker, locker, amount0, amount1, pool_id=pool_id)


EVENTS: Mapping[bytes, Callable[[Log], VenueEvent]] = {b"": decode_swap}
