"""Uniswap V3 as a venue: its events. Its pools are not quoted yet, so none is recognised by its code."""

from mev_dagster.dex.venue import Venue
from mev_dagster.dex.venues.uniswap_v3 import events


class UniswapV3(Venue):
    """Pools of concentrated liquidity."""

    name = events.PROTOCOL
    events = {
        events.SWAP_TOPIC: events.decode_swap,
        events.MINT_TOPIC: events.decode_mint,
        events.BURN_TOPIC: events.decode_burn,
        events.FLASH_TOPIC: events.decode_flash,
        events.POOL_CREATED_TOPIC: events.decode_pool_created,
    }
