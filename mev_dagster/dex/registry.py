"""Which code is a venue we can quote exactly.

A pair is known by the hash of its runtime code, not by who says it is one: all pairs of one factory share
their code, so the hash vouches for the storage layout, the formula and the fee. Forks whose fee is a storage
variable, or whose layout differs, are not listed, and their pairs are not traded.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mev_dagster.dex.uniswap_v2 import Fee, Pair, read_pair
from mev_dagster.errors import MissingState
from mev_dagster.evm.types import StateSource


@dataclass(frozen=True, slots=True)
class Venue:
    """A family of pairs that share code."""

    name: str
    fee: Fee


PAIR_CODES: Mapping[bytes, Venue] = {
    bytes.fromhex("5b83bdbcc56b2e630f2807bbadd2b0c21619108066b92a58de081261089e9ce5"): Venue(
        "uniswap_v2", Fee()
    ),
    bytes.fromhex("cd82e2d9daddbf51cbce8d5429a0996e16fc670c4056566f19cf8864ad45a746"): Venue(
        "sushiswap", Fee()
    ),
}
"""Runtime code hash of a pair -> its venue."""

WRAPPED_ETHER_CODES: Mapping[bytes, str] = {
    bytes.fromhex("d0a06b12ac47863b5c7be4185c2deaad1c61557033f56c7d4ea74429cbb25e23"): "WETH9",
}
"""Runtime code hash of a token that wraps ether one to one -> its name."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a set of accounts holds: pairs with reserves, pairs that could not be read, wrapped ether."""

    pairs: tuple[Pair, ...]
    venues: Mapping[bytes, str]
    unreadable: Mapping[bytes, str]
    wrapped_ether: bytes | None


def discover(state: StateSource, addresses: Iterable[bytes]) -> Discovery:
    """Read every known pair among `addresses`.

    A captured prestate holds the slots its block touched, so a pair that was only looked at may miss its
    tokens: it is reported with the missing slot, not guessed.
    """
    pairs, venues, unreadable = [], {}, {}
    wrapped_ether = None
    for address in sorted(addresses):
        code_hash = state.account(address).code_hash
        if code_hash in WRAPPED_ETHER_CODES:
            wrapped_ether = address
        venue = PAIR_CODES.get(code_hash)
        if venue is None:
            continue
        venues[address] = venue.name
        try:
            pair = read_pair(state, address, venue.fee)
        except MissingState as missing:
            unreadable[address] = str(missing)
            continue
        if pair.reserve0 and pair.reserve1:
            pairs.append(pair)
    return Discovery(tuple(pairs), venues, unreadable, wrapped_ether)
