"""A backrun takes what a pending transaction opened, not what was there before it."""

from types import SimpleNamespace

import pytest

from mev_dagster.dex.graph import PoolGraph
from mev_dagster.dex.sizing import optimal_cycle
from mev_dagster.dex.venues.uniswap_v2.pool import Pair
from mev_dagster.search.strategies.arbitrage import Arbitrage
from mev_dagster.search.strategies.backrun import CYCLES_PER_TX, Backrun

WETH, TOKEN, EXECUTOR = b"\xc0" * 20, b"\x10" * 20, b"\xee" * 20
ETHER = 10**18


def pair(number: int, token_reserve: int, weth_reserve: int) -> Pair:
    return Pair(bytes([number]) * 20, TOKEN, WETH, token_reserve, weth_reserve)


CHEAP = pair(1, 1_100 * ETHER, 1_000 * ETHER)
DEAR = pair(2, 1_000 * ETHER, 1_000 * ETHER)


def view(pools, *moved):
    """A block whose pending transactions each left one pool as given."""
    runs = [
        SimpleNamespace(
            succeeded=True,
            moved=frozenset({pool.address}),
            prerequisites=(),
            tx=SimpleNamespace(),
            after={pool.address: pool},
        )
        for pool in moved
    ]
    return SimpleNamespace(
        graph=PoolGraph(pools),
        wrapped_ether=WETH,
        inventory_wei=1_000 * ETHER,
        runs=tuple(runs),
        searcher=SimpleNamespace(executor=EXECUTOR),
    )


def profits(strategy, given):
    return [plan.expected_profit_wei for plan in strategy.plans(given)]


def test_a_gap_that_the_transaction_made_smaller_is_not_behind_it():
    smaller = CHEAP.swapped(WETH, 10 * ETHER, 10 * ETHER)
    given = view([CHEAP, DEAR], smaller)
    assert profits(Arbitrage(), given)
    assert profits(Arbitrage(), view([smaller, DEAR]))
    assert profits(Backrun(), given) == []


def test_a_gap_that_the_transaction_left_as_it_was_is_not_behind_it():
    given = view([CHEAP, DEAR], CHEAP)
    assert profits(Arbitrage(), given)
    assert profits(Backrun(), given) == []


def test_a_gap_that_the_transaction_made_wider_is_behind_it_with_all_it_pays():
    wider = CHEAP.swapped(TOKEN, 10 * ETHER, 8 * ETHER)
    best = optimal_cycle((wider.hop(WETH), DEAR.hop(TOKEN)), 1_000 * ETHER)
    assert profits(Backrun(), view([CHEAP, DEAR], wider)) == [best.profit]
    assert best.profit > max(profits(Arbitrage(), view([CHEAP, DEAR])))


@pytest.mark.parametrize("neighbours", [2, 3, 6])
def test_of_the_cycles_through_one_moved_pool_the_best_few_are_proposed(neighbours):
    others = [pair(10 + number, (1_000 - number) * ETHER, 1_000 * ETHER) for number in range(neighbours)]
    moved = pair(1, 1_200 * ETHER, 1_000 * ETHER)
    found = profits(Backrun(), view([pair(1, 1_000 * ETHER, 1_000 * ETHER), *others], moved))
    all_of_them = sorted(
        (optimal_cycle((moved.hop(WETH), other.hop(TOKEN)), 1_000 * ETHER).profit for other in others),
        reverse=True,
    )
    assert found == all_of_them[:CYCLES_PER_TX]
