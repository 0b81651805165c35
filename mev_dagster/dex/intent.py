"""What a pending call asks for, as its calldata states it.

Recognised by function, not by the address it is sent to: every fork deploys its own routers.
"""

from mev_dagster.dex.registry import venues
from mev_dagster.dex.venue import SwapIntent
from mev_dagster.errors import DecodeError, PluginFailed


def swap_intent(data: bytes, value_wei: int) -> SwapIntent | None:
    """Return the swap this calldata asks for, None when it asks for none that a venue can read."""
    for decode in venues().intents.get(data[:4], ()):
        try:
            return decode(data, value_wei)
        except (DecodeError, PluginFailed):
            continue
    return None
