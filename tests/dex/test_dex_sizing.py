"""Closed-form sizes against brute force and search."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mev_dagster.dex.constant_product import Fee, Hop, amounts_along
from mev_dagster.dex.frontrun import (
    ExactInput,
    ExactOutput,
    largest_frontrun,
    optimal_sandwich,
    sandwich_of,
)
from mev_dagster.dex.sizing import REACH, closed_form_input, compose, optimal_cycle

FEES = st.sampled_from([Fee(997, 1000), Fee(9975, 10_000), Fee(998, 1000), Fee(1, 1)])
small = st.integers(50, 4_000)
whole_market = st.integers(10**3, 10**26)


def hops(reserves, count):
    return st.lists(st.builds(Hop, reserves, reserves, FEES), min_size=count, max_size=count)


def profit(size, cycle):
    return amounts_along(size, cycle)[-1] - size


def binary_search_frontrun(victim, hop, limit):
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if sandwich_of(middle, victim, hop) else (low, middle - 1)
    return low


@settings(max_examples=300)
@given(cycle=st.one_of(hops(small, 2), hops(small, 3)), limit=st.integers(1, 4_000))
def test_no_size_in_a_small_market_beats_the_optimal_cycle_by_more_than_its_rounding(cycle, limit):
    found = optimal_cycle(cycle, limit)
    best = max(profit(size, cycle) for size in range(1, limit + 1))
    gained = found.profit if found else 0
    assert gained <= max(best, 0)
    # The integer profit is the smooth one less what each hop's floor loses, valued at the end of the cycle.
    assert max(best, 0) - gained <= rounding_of(cycle)


def rounding_of(cycle):
    loss = 0
    for hop in cycle:
        loss = (loss + 1) * -(-hop.reserve_out * hop.fee.numerator // (hop.reserve_in * hop.fee.denominator))
    return loss


@settings(max_examples=200)
@given(cycle=st.one_of(hops(whole_market, 2), hops(whole_market, 3)))
def test_no_neighbour_beats_the_optimal_cycle(cycle):
    found = optimal_cycle(cycle, 10**30)
    assume(found is not None)
    size = found.amounts[0]
    assert found.profit == profit(size, cycle)
    for neighbour in range(max(1, size - REACH), size + REACH + 1):
        assert profit(neighbour, cycle) <= found.profit


@given(cycle=hops(whole_market, 2), limit=st.integers(1, 10**20))
def test_the_optimal_cycle_keeps_within_its_limit(cycle, limit):
    found = optimal_cycle(cycle, limit)
    assert found is None or 1 <= found.amounts[0] <= limit


@given(cycle=st.one_of(hops(whole_market, 2), hops(whole_market, 3)))
def test_a_cycle_without_a_marginal_gain_gains_at_no_size(cycle):
    if not compose(cycle).gains_at_the_margin:
        assert closed_form_input(compose(cycle)) == 0
        assert all(profit(10**power, cycle) <= 0 for power in range(0, 27))


@given(cycle=st.one_of(hops(whole_market, 2), hops(whole_market, 3)))
def test_the_closed_form_is_the_peak_of_the_smooth_profit(cycle):
    through = compose(cycle)
    size = closed_form_input(through)
    assume(size > 1)

    def beats(one, other):
        # a·x/(b + c·x) - x compared exactly, as fractions
        left = (through.a * one - one * (through.b + through.c * one)) * (through.b + through.c * other)
        right = (through.a * other - other * (through.b + through.c * other)) * (through.b + through.c * one)
        return left >= right

    assert beats(size, size - 1)
    assert beats(size + 1, size + 2)


victims = st.one_of(
    st.builds(ExactInput, st.integers(1, 10**22), st.integers(1, 10**22)),
    st.builds(ExactOutput, st.integers(1, 10**22), st.integers(1, 10**22)),
)


@settings(max_examples=400)
@given(hop=st.builds(Hop, whole_market, whole_market, FEES), victim=victims, limit=st.integers(1, 10**24))
def test_the_largest_frontrun_equals_a_binary_search(hop, victim, limit):
    assert largest_frontrun(victim, hop, limit) == binary_search_frontrun(victim, hop, limit)


@settings(max_examples=400)
@given(
    hop=st.builds(Hop, whole_market, whole_market, FEES),
    share=st.integers(1, 10**6),
    tolerance=st.integers(0, 2_000),
    data=st.data(),
)
def test_the_largest_frontrun_of_a_plausible_victim_equals_a_binary_search(hop, share, tolerance, data):
    sold = max(1, hop.reserve_in * share // 10**7)
    untouched = ExactInput(sold, 0).trade(hop)
    bought = untouched[1]
    assume(bought > 0)
    exact_in = ExactInput(sold, max(1, bought * (10_000 - tolerance) // 10_000))
    exact_out = ExactOutput(bought, sold * (10_000 + tolerance) // 10_000 + 1)
    victim = data.draw(st.sampled_from([exact_in, exact_out]))
    limit = 100 * hop.reserve_in
    assert largest_frontrun(victim, hop, limit) == binary_search_frontrun(victim, hop, limit)


@settings(max_examples=150)
@given(
    reserve_in=st.integers(500, 4_000),
    price=st.integers(10**3, 10**9),
    sold=st.integers(1, 1_000),
    tolerance=st.integers(0, 100),
    limit=st.integers(1, 2_000),
)
def test_no_sandwich_size_beats_the_optimal_one_by_more_than_rounding(
    reserve_in, price, sold, tolerance, limit
):
    hop = Hop(reserve_in, reserve_in * price, Fee())
    bought = ExactInput(sold, 0).trade(hop)[1]
    victim = ExactInput(sold, bought * (100 - tolerance) // 100)
    found = optimal_sandwich(victim, hop, limit)
    sizes = [sandwich_of(size, victim, hop) for size in range(1, limit + 1)]
    best = max((trades.profit for trades in sizes if trades), default=0)
    gained = found.profit if found else 0
    assert gained <= max(best, 0)
    assert max(best, 0) - gained <= 1


def test_a_victim_that_fails_untouched_cannot_be_sandwiched():
    hop = Hop(10**21, 10**24, Fee())
    assert largest_frontrun(ExactInput(10**18, 10**21), hop, 10**30) == 0
    assert optimal_sandwich(ExactInput(10**18, 10**21), hop, 10**30) is None


def test_a_tight_victim_stops_the_frontrun_before_its_peak():
    hop = Hop(1_000 * 10**18, 2_000_000 * 10**18, Fee())
    bought = ExactInput(20 * 10**18, 0).trade(hop)[1]
    found = optimal_sandwich(ExactInput(20 * 10**18, bought * 99 // 100), hop, 10**24)
    assert found.victim_out >= bought * 99 // 100
    assert sandwich_of(found.front_in + 1, ExactInput(20 * 10**18, bought * 99 // 100), hop) is None
    assert 0.1 * 10**18 < found.profit < 0.3 * 10**18
