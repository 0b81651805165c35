"""Round trips from wrapped ether back to it: which exist, what each earns at its best size, and its calldata.

Sizes come from a plain search over exact quotes, not from our own searcher's closed forms, so what the bots
land does not depend on the code that is judged by it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise, permutations, product
from typing import NamedTuple, TypeAlias

from mev_dagster.demo.market import SEARCHER_INVENTORY_WEI, TOKENS, VENUES, WETH, Market
from mev_dagster.demo.trading import Book
from mev_dagster.dex.constant_product import amount_out
from mev_dagster.dex.executor import SwapStep

SEARCH_STEPS = 200
LEAST_SIZE_WEI = 10**15

Hops: TypeAlias = tuple[tuple[bytes, bytes], ...]  # (pool, token sold to it), in order


class Cycle(NamedTuple):
    """A round trip, its best input and what that earns."""

    hops: Hops
    amount_in: int
    profit_wei: int

    def steps(self, book: Book, executor: bytes) -> list[SwapStep]:
        """Return the executor's steps: every pool pays straight into the next one."""
        steps: list[SwapStep] = []
        amount = self.amount_in
        receivers = [*(pool for pool, _ in self.hops[1:]), executor]
        for (pool, token), receiver in zip(self.hops, receivers, strict=True):
            pair = book.pools[pool]
            bought = amount_out(amount, pair.hop(token))
            paid_here = 0 if steps else amount
            steps.append(SwapStep(pool, token, paid_here, *pair.outputs(pair.other(token), bought), receiver))
            amount = bought
        return steps

    def after(self, book: Book) -> Book:
        """Return the book behind this round trip."""
        pools, amount = dict(book.pools), self.amount_in
        for pool, token in self.hops:
            bought = amount_out(amount, pools[pool].hop(token))
            pools[pool] = pools[pool].swapped(token, amount, bought)
            amount = bought
        return replace(book, pools=pools)


def best_cycle(book: Book, *, lengths: tuple[int, ...] = (2, 3)) -> Cycle:
    """Return the round trip that earns most; where the market is tight, one that earns nothing."""
    found = [_sized(book, hops) for length in lengths for hops in _cycles(book.market, length)]
    return max(found, key=lambda cycle: (cycle.profit_wei, cycle.hops))


def _cycles(market: Market, length: int) -> Iterator[Hops]:
    """Yield every way from wrapped ether back to it: each leg on any venue that has it, no pool twice."""
    for symbols in permutations(TOKENS, length - 1):
        legs = list(pairwise((WETH, *symbols, WETH)))
        for venues in product(VENUES, repeat=length):
            pools = [
                market.pools.get((venue, frozenset(leg))) for venue, leg in zip(venues, legs, strict=True)
            ]
            if len(set(pools)) == length and None not in pools:
                yield tuple(
                    (market.pool(venue, sold, bought), market.tokens[sold])
                    for venue, (sold, bought) in zip(venues, legs, strict=True)
                )


def _sized(book: Book, hops: Hops) -> Cycle:
    reserves = [book.pools[pool].hop(token) for pool, token in hops]

    def profit(size: int) -> int:
        amount = size
        for hop in reserves:
            amount = amount_out(amount, hop)
        return amount - size

    if profit(LEAST_SIZE_WEI) <= 0:  # what does not pay a little does not pay at all: profit is concave
        return Cycle(hops, 0, 0)
    size = best_size(profit, SEARCHER_INVENTORY_WEI)
    return Cycle(hops, size, profit(size))


def largest_size(holds: Callable[[int], bool], limit: int) -> int:
    """Return the largest size up to `limit` for which `holds`, which no larger size makes true again."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def best_size(profit: Callable[[int], int], limit: int) -> int:
    """Return the size up to `limit` that earns most; `profit` rises and then falls."""
    low, high = 0, limit
    for _ in range(SEARCH_STEPS):
        if high - low < 3:
            break
        third = (high - low) // 3
        if profit(low + third) < profit(high - third):
            low += third
        else:
            high -= third
    return max(range(low, high + 1), key=profit)
