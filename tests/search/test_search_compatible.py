"""The best set of candidates that one block can hold."""

from itertools import combinations
from random import Random

import pytest

from mev_dagster.search.compatible import best_set


def needs(*names):
    return frozenset(name.encode() for name in names)


def test_rivals_for_one_pool_are_not_added_up():
    assert best_set([(5, needs("p")), (7, needs("p")), (1, needs("q"))]) == (1, 2)


def test_two_that_fit_beat_the_one_that_is_worth_most():
    assert best_set([(10, needs("p", "q")), (6, needs("p")), (6, needs("q"))]) == (1, 2)


def test_of_equal_sums_the_set_with_the_earlier_offer_is_taken():
    assert best_set([(3, needs("p")), (3, needs("p"))]) == (0,)


def test_what_earns_nothing_is_not_taken():
    assert best_set([(0, needs("p")), (-4, needs("q"))]) == ()


@pytest.mark.parametrize("seed", range(20))
def test_no_other_set_is_worth_more(seed):
    dice = Random(seed)
    offers = [(dice.randint(1, 9), needs(*dice.sample("abcdefg", 2))) for _ in range(9)]

    def fits(chosen):
        return all(not offers[one][1] & offers[other][1] for one, other in combinations(chosen, 2))

    worths = [
        sum(offers[at][0] for at in chosen)
        for size in range(len(offers) + 1)
        for chosen in combinations(range(len(offers)), size)
        if fits(chosen)
    ]
    found = best_set(offers)
    assert fits(found)
    assert sum(offers[at][0] for at in found) == max(worths)


def test_thousands_of_rivals_end_within_their_steps_and_no_worse_than_greed():
    offers = [(10_000 - at, needs(str(at), str(at + 1))) for at in range(3_000)]
    found = best_set(offers, steps=5_000)
    assert found == tuple(range(0, 3_000, 2))
