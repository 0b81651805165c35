"""The bounds of the screen against exact sizes: nothing that gains is left out."""

import random
from functools import partial

import numpy as np
import pytest

from mev_dagster.dex.constant_product import Fee, amounts_along
from mev_dagster.dex.graph import PoolGraph
from mev_dagster.dex.sizing import optimal_cycle, searched_cycle
from mev_dagster.dex.venue import Pool
from mev_dagster.dex.venues.uniswap_v2.pool import Pair

WETH, TOKENS = b"\xc0" * 20, [bytes([number]) * 20 for number in range(1, 5)]
FEES = (Fee(997, 1000), Fee(9975, 10_000), Fee(1, 1))


def market(seed: int, pools: int = 14, decimals=(0, 2, 6, 8, 18)) -> list[Pair]:
    """Pools near one price, of tokens with few decimals and many, shallow and deep."""
    dice = random.Random(seed)
    digits = {token: dice.choice(decimals) for token in TOKENS} | {WETH: 18}
    spread = 10 ** dice.uniform(-9, -1)
    made = []
    for number in range(pools):
        one, other = sorted(dice.sample([*TOKENS, WETH], 2))
        depth = 10 ** dice.uniform(0, 12)
        reserves = [
            int(depth * 10 ** digits[token] * dice.uniform(1 - spread, 1 + spread)) + 1
            for token in (one, other)
        ]
        made.append(Pair(number.to_bytes(20, "big"), one, other, *reserves, dice.choice(FEES)))
    return made


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("limit", [1, 10**6, 10**21, 10**33])
def test_the_exact_profit_of_every_cycle_lies_between_its_bounds(seed, limit):
    graph = PoolGraph(market(seed))
    cycles = graph.cycles(WETH).all
    bounds = graph.screen(WETH, limit).at_the_top()
    for cycle, lower, upper in zip(cycles, *bounds, strict=True):
        hops = tuple(graph.pools[leg.pool].hop(leg.token_in) for leg in cycle)
        size = optimal_cycle(hops, limit)
        exact = size.profit if size is not None else 0
        assert exact <= upper
        assert exact >= lower


def test_the_bounds_behind_a_transaction_are_those_of_a_graph_of_the_pools_as_it_left_them():
    for seed in range(20):
        pools = market(seed)
        moved = [
            {pool.address: pool.with_reserves(pool.reserve0 * 2, pool.reserve1)}
            for pool in (pools[0], pools[1])
        ]
        graph = PoolGraph(pools)
        count = len(graph.cycles(WETH).all)
        cycles, places = np.tile(np.arange(count), 2), np.repeat([0, 1], count)
        found = graph.screen(WETH, 10**21).behind(cycles, places, moved)
        for place in (0, 1):
            there = PoolGraph({**graph.pools, **moved[place]}.values()).screen(WETH, 10**21).at_the_top()
            assert np.array_equal(found.lower[places == place], there.lower)
            assert np.array_equal(found.upper[places == place], there.upper)


def test_of_a_cycle_without_a_closed_form_nothing_is_known():
    class Odd(Pool):
        address, family, tokens = b"\x99" * 20, "odd", (TOKENS[0], WETH)

        def quote(self, token_in, token_out, amount_in):
            return amount_in

    graph = PoolGraph([Odd(), Pair(b"\x01" * 20, TOKENS[0], WETH, 10**18, 10**18)])
    bounds = graph.screen(WETH, 10**21).at_the_top()
    assert set(bounds.lower) == {-np.inf}
    assert set(bounds.upper) == {np.inf}


@pytest.mark.parametrize("seed", range(30))
def test_a_search_over_quotes_alone_finds_what_the_closed_form_finds(seed):
    graph = PoolGraph(market(seed, pools=8, decimals=(18,)))
    for cycle in graph.cycles(WETH).all:
        pools = [graph.pools[leg.pool] for leg in cycle]
        hops = tuple(pool.hop(leg.token_in) for pool, leg in zip(pools, cycle, strict=True))
        quotes = [
            partial(pool.quote, leg.token_in, leg.token_out) for pool, leg in zip(pools, cycle, strict=True)
        ]
        closed, searched = optimal_cycle(hops, 10**21), searched_cycle(quotes, 10**21)
        if closed is None or closed.profit < 1_000:  # rounding hides what is smaller than its steps
            continue
        assert searched.amounts == amounts_along(searched.amounts[0], hops)
        assert closed.profit - searched.profit <= max(64, closed.profit // 10**6)
