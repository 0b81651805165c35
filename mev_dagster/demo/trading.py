"""What a swap is to those who send it: quotes on known reserves, and the router's calldata."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from mev_dagster.demo.artifacts import contracts
from mev_dagster.demo.market import FOREVER, WETH, Market
from mev_dagster.dex.constant_product import Hop, amount_in, amount_out
from mev_dagster.dex.venues.uniswap_v2.pool import Pair

BPS = 10_000


@dataclass(frozen=True, slots=True)
class Swap:
    """A swap along a path of tokens on one venue. With `exact_out` the amounts are (wanted, at most)."""

    venue: str
    path: tuple[str, ...]
    amount: int
    limit: int
    exact_out: bool = False

    def pools(self, market: Market) -> tuple[bytes, ...]:
        """Return the pools crossed, in order."""
        return tuple(market.pool(self.venue, a, b) for a, b in zip(self.path, self.path[1:], strict=False))

    @property
    def gas_limit(self) -> int:
        """Return enough gas for the path."""
        return 130_000 + 110_000 * (len(self.path) - 1)

    @property
    def value_wei(self) -> int:
        """Return the ether that travels with the call."""
        if self.path[0] != WETH:
            return 0
        return self.limit if self.exact_out else self.amount

    def calldata(self, market: Market, receiver: bytes) -> bytes:
        """Return the router call."""
        path = [market.tokens[symbol] for symbol in self.path]
        start = "ETH" if self.path[0] == WETH else "Tokens"
        end = "ETH" if self.path[-1] == WETH else "Tokens"
        name = f"swap{start}ForExact{end}" if self.exact_out else f"swapExact{start}For{end}"
        first = [self.amount, self.limit]
        if start == "ETH":  # the amount paid travels as value
            first.pop(1 if self.exact_out else 0)
        return contracts()["router"].call(name, *first, path, receiver, FOREVER)


@dataclass(frozen=True, slots=True)
class Book:
    """The market and its pools' reserves at one moment: what everybody sees at the start of a slot."""

    market: Market
    pools: Mapping[bytes, Pair]

    def hop(self, venue: str, sold: str, bought: str) -> Hop:
        """Return a venue's pool as seen by someone who sells `sold` to it."""
        return self.pools[self.market.pool(venue, sold, bought)].hop(self.market.tokens[sold])

    def quote(self, venue: str, path: Sequence[str], amount: int) -> int:
        """Return what `amount` buys along `path`."""
        for sold, bought in pairwise(path):
            amount = amount_out(amount, self.hop(venue, sold, bought))
        return amount

    def sell(self, venue: str, path: Sequence[str], amount: int, slippage_bps: int) -> Swap:
        """Sell exactly `amount` along `path`, at worst `slippage_bps` below the quote."""
        limit = self.quote(venue, path, amount) * max(BPS - slippage_bps, 0) // BPS
        return Swap(venue, tuple(path), amount, limit)

    def buy(self, venue: str, path: Sequence[str], wanted: int, slippage_bps: int) -> Swap:
        """Buy exactly `wanted` along `path`, at worst `slippage_bps` above the quote."""
        cost = wanted
        for bought, sold in pairwise(reversed(path)):
            cost = amount_in(cost, self.hop(venue, sold, bought))
        return Swap(venue, tuple(path), wanted, cost * (BPS + slippage_bps) // BPS, exact_out=True)

    def after(self, swap: Swap) -> "Book":
        """Return the book behind a swap of an exact input."""
        pools, amount = dict(self.pools), swap.amount
        for sold, pool in zip(swap.path, swap.pools(self.market), strict=False):
            token = self.market.tokens[sold]
            bought = amount_out(amount, pools[pool].hop(token))
            pools[pool] = pools[pool].swapped(token, amount, bought)
            amount = bought
        return replace(self, pools=pools)
