"""What a swap is to those who send it: quotes on known reserves, and the router's calldata."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mev_dagster.demo.artifacts import contracts
from mev_dagster.demo.market import FOREVER, WETH, Market
from mev_dagster.dex.uniswap_v2 import Pair, amount_in, amount_out

Pools = Mapping[bytes, Pair]

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


def sell(market: Market, pools: Pools, venue: str, path: Sequence[str], amount: int, slippage_bps: int) -> Swap:
    """Sell exactly `amount` along `path`, at worst `slippage_bps` below what `pools` quote."""
    quoted = quote(market, pools, venue, path, amount)
    return Swap(venue, tuple(path), amount, quoted * max(BPS - slippage_bps, 0) // BPS)


def buy(market: Market, pools: Pools, venue: str, path: Sequence[str], wanted: int, slippage_bps: int) -> Swap:
    """Buy exactly `wanted` along `path`, at worst `slippage_bps` above what `pools` quote."""
    cost = wanted
    for sold, bought in reversed(list(zip(path, path[1:], strict=False))):
        pair = pools[market.pool(venue, sold, bought)]
        cost = amount_in(cost, pair.hop(market.tokens[sold]))
    return Swap(venue, tuple(path), wanted, cost * (BPS + slippage_bps) // BPS, exact_out=True)


def quote(market: Market, pools: Pools, venue: str, path: Sequence[str], amount: int) -> int:
    """Return what `amount` buys along `path`."""
    for sold, bought in zip(path, path[1:], strict=False):
        pair = pools[market.pool(venue, sold, bought)]
        amount = amount_out(amount, pair.hop(market.tokens[sold]))
    return amount


def after(market: Market, pools: Pools, swap: Swap) -> dict[bytes, Pair]:
    """Return the pools after a swap of an exact input."""
    changed, amount = dict(pools), swap.amount
    for sold, pool in zip(swap.path, swap.pools(market), strict=False):
        token = market.tokens[sold]
        bought = amount_out(amount, changed[pool].hop(token))
        changed[pool] = changed[pool].after(token, amount, bought)
        amount = bought
    return changed
