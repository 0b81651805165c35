"""What is bought in front of several sales into one pool, and sold behind them."""

from random import Random

import pytest

from mev_dagster.dex.constant_product import STANDARD_FEE, Hop, amount_out
from mev_dagster.dex.crowd_frontrun import crowd_sandwich, largest_that_leaves, optimal_crowd_sandwich
from mev_dagster.dex.frontrun import ExactInput, optimal_sandwich, sandwich_of

HOP = Hop(10**21, 3 * 10**21, STANDARD_FEE)


def test_around_one_sale_it_is_the_sandwich_of_one():
    alone = sandwich_of(10**18, ExactInput(10**19, 0), HOP)
    found = crowd_sandwich(10**18, [10**19], HOP)
    assert (found.front_out, *found.bought, found.back_out) == (
        alone.front_out,
        alone.victim_out,
        alone.back_out,
    )


def test_each_sale_meets_what_the_one_before_it_left():
    first, second = crowd_sandwich(0, [10**19, 10**19], HOP).bought
    assert first == amount_out(10**19, HOP)
    assert second == amount_out(10**19, Hop(HOP.reserve_in + 10**19, HOP.reserve_out - first, HOP.fee))


@pytest.mark.parametrize("seed", range(8))
def test_no_size_that_is_tried_at_random_earns_more(seed):
    dice = Random(seed)
    hop = Hop(dice.randint(10**18, 10**21), dice.randint(10**18, 10**21), STANDARD_FEE)
    sold = [dice.randint(10**15, hop.reserve_in // 4) for _ in range(dice.randint(1, 3))]
    limit = dice.randint(10**15, hop.reserve_in)
    best = max(crowd_sandwich(dice.randint(1, limit), sold, hop).profit for _ in range(3_000))
    found = optimal_crowd_sandwich(sold, hop, limit)
    assert (found.profit if found else 0) >= max(best, 0)
    assert found is None or found.front_in <= limit


def test_around_one_sale_with_a_limit_it_earns_what_the_closed_form_earns():
    victim = ExactInput(10**19, 29 * 10**18)
    closed = optimal_sandwich(victim, HOP, 10**21)
    largest = largest_that_leaves(29 * 10**18, 0, [10**19], HOP, 0, 10**21)
    found = optimal_crowd_sandwich([10**19], HOP, largest)
    assert found.profit >= closed.profit
    assert found.bought[0] >= 29 * 10**18


def test_the_largest_purchase_leaves_a_sale_what_it_wants_and_the_next_does_not():
    least = 28 * 10**18
    size = largest_that_leaves(least, 1, [10**18, 10**19], HOP, 0, 10**21)
    assert crowd_sandwich(size, [10**18, 10**19], HOP).bought[1] >= least
    assert crowd_sandwich(size + 1, [10**18, 10**19], HOP).bought[1] < least
