"""Which code is a venue we can quote exactly.

A pair is known by the hash of its runtime code, not by who says it is one: all pairs of one factory share
their code, so the hash vouches for the storage layout, the formula and the fee. Forks whose fee is a storage
variable, or whose layout differs, are not listed, and their pairs are not traded.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from mev_dagster.dex.layout import solidity_slot, vyper_slot
from mev_dagster.dex.venues.uniswap_v2 import STANDARD_FEE, Fee, Pair, read_pair
from mev_dagster.errors import MissingState
from mev_dagster.evm.types import StateSource


@dataclass(frozen=True, slots=True)
class Venue:
    """A family of pairs that share code."""

    name: str
    fee: Fee


@dataclass(frozen=True, slots=True)
class WrappedEther:
    """A token that wraps ether one to one, and where it keeps a holder's balance."""

    name: str
    mapping_slot: Callable[[int, bytes], int]
    balances_at: int

    def balance_slot(self, holder: bytes) -> int:
        """Return the storage slot of a holder's balance."""
        return self.mapping_slot(self.balances_at, holder)


PAIR_CODES: Mapping[bytes, Venue] = {
    bytes.fromhex(code_hash): Venue(name, STANDARD_FEE)
    for code_hash, name in (
        ("5b83bdbcc56b2e630f2807bbadd2b0c21619108066b92a58de081261089e9ce5", "uniswap_v2"),
        ("cd82e2d9daddbf51cbce8d5429a0996e16fc670c4056566f19cf8864ad45a746", "sushiswap"),
        ("a3fc6af9961ff299af57d38dfdae8f12ba285b75bf686d7b0ed57bbbb73962a5", "devnet"),
    )
}
"""Runtime code hash of a pair -> its venue."""

WRAPPED_ETHER_CODES: Mapping[bytes, WrappedEther] = {
    bytes.fromhex(code_hash): known
    for code_hash, known in (
        # 0xC02aaA39… on mainnet, and the build that ships with Uniswap's periphery
        (
            "d0a06b12ac47863b5c7be4185c2deaad1c61557033f56c7d4ea74429cbb25e23",
            WrappedEther("WETH9", solidity_slot, 3),
        ),
        (
            "e524bd0c25f819b88ff6694c74b8757e843232d912f1d88fc5f924da716e8aaf",
            WrappedEther("WETH9", solidity_slot, 3),
        ),
        (
            "7c015aa3e9006cc6daa28b13e4687669d86c62b2ac23d8403a0ae36100033be9",
            WrappedEther("devnet WETH", vyper_slot, 0),
        ),
    )
}
"""Runtime code hash of a token that wraps ether -> what we know of it."""


@dataclass(frozen=True, slots=True)
class DiscoveredPools:
    """What a set of accounts holds: pairs with reserves, pairs that could not be read, wrapped ether."""

    pairs: tuple[Pair, ...]
    venues: Mapping[bytes, str]
    unreadable: Mapping[bytes, str]
    wrapped_ether: bytes | None


def discover(state: StateSource, addresses: Iterable[bytes]) -> DiscoveredPools:
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
    return DiscoveredPools(tuple(pairs), venues, unreadable, wrapped_ether)
