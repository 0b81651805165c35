"""Uniswap V2 as a venue.

A pair is known by the hash of its runtime code, not by who says it is one: all pairs of one factory share
their code, so the hash vouches for the storage layout, the formula and the fee. Forks whose fee is a storage
variable, or whose layout differs, are not listed, and their pairs are not traded.
"""

from collections.abc import Callable, Mapping

from mev_dagster.dex.constant_product import STANDARD_FEE, Fee
from mev_dagster.dex.venue import ChainAt, Venue
from mev_dagster.dex.venues.uniswap_v2.calls import CALLS
from mev_dagster.dex.venues.uniswap_v2.events import EVENTS, PROTOCOL
from mev_dagster.dex.venues.uniswap_v2.pool import (
    RESERVES_SLOT,
    TOKEN0_SLOT,
    TOKEN1_SLOT,
    Pair,
    read_pair,
)
from mev_dagster.dex.venues.uniswap_v2.router import INTENTS

PAIR_CODES: Mapping[bytes, str] = {
    bytes.fromhex(code_hash): family
    for code_hash, family in (
        ("5b83bdbcc56b2e630f2807bbadd2b0c21619108066b92a58de081261089e9ce5", "uniswap_v2"),
        ("cd82e2d9daddbf51cbce8d5429a0996e16fc670c4056566f19cf8864ad45a746", "sushiswap"),
        ("a3fc6af9961ff299af57d38dfdae8f12ba285b75bf686d7b0ed57bbbb73962a5", "devnet"),
    )
}
"""Runtime code hash of a pair -> whose it is."""

FEES: Mapping[str, Fee] = {"uniswap_v2": STANDARD_FEE, "sushiswap": STANDARD_FEE, "devnet": STANDARD_FEE}


class UniswapV2(Venue):
    """Pairs that keep the product of their reserves."""

    name = PROTOCOL
    events = EVENTS
    calls = CALLS
    intents = INTENTS
    slots = (TOKEN0_SLOT, TOKEN1_SLOT, RESERVES_SLOT)

    def family(self, code_hash: bytes, code: Callable[[], bytes]) -> str | None:
        """Return whose pairs have this code."""
        return PAIR_CODES.get(code_hash)

    def read(self, chain: ChainAt, address: bytes, family: str) -> Pair | None:
        """Read a pair by its storage layout; an empty one trades nothing."""
        pair = read_pair(chain.state, address, FEES[family], family)
        return pair if pair.reserve0 and pair.reserve1 else None
