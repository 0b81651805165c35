"""Concentrated liquidity: the formula gives what pools on mainnet gave, to the wei, and no free lunch."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mev_dagster.captures.importers import read_json
from mev_dagster.dex.concentrated import (
    MAX_SQRT_PRICE,
    MAX_TICK,
    MIN_SQRT_PRICE,
    MIN_TICK,
    PriceCurve,
    Swapped,
    Tick,
    sqrt_price_at,
    swap_exact_in,
    swap_exact_out,
)
from mev_dagster.errors import Unquotable

SPACINGS = {100: (1,), 500: (10,), 2_500: (50,), 3_000: (60,), 10_000: (200,)}
UNHURRIED = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)


def swaps_inside_one_range(folder, name, sign):
    """Yield the swaps behind which liquidity was the same."""
    for row in read_json(folder / "amm" / f"{name}.json.zst"):
        if row["liquidity_before"] is not None and row["liquidity_before"] == row["liquidity_after"]:
            amounts = sign * int(row["amount0"]), sign * int(row["amount1"])
            down = amounts[0] > 0
            sold, bought = (amounts[0], -amounts[1]) if down else (amounts[1], -amounts[0])
            wanted = Swapped(sold, bought, int(row["sqrtPriceX96_after"]), int(row["liquidity_after"]))
            yield row, down, wanted


def curves(row):
    """Yield the pool with each fee it may have, and each spacing that goes with it."""
    of_v4 = "swap_fee_pips" in row  # where anybody chooses both
    for fee in [row["swap_fee_pips"]] if of_v4 else list(SPACINGS):
        for spacing in (1, 10, 50, 60, 200, max(1, fee // 50)) if of_v4 else SPACINGS[fee]:
            price, liquidity = int(row["sqrtPriceX96_before"]), int(row["liquidity_before"])
            yield PriceCurve(price, row["tick_before"], liquidity, fee, spacing)


def told(curve, down, wanted):
    """The answers to an exact input, an exact output, and an input cut short by a limit of the price."""
    for ask, amount, limit in (
        (swap_exact_in, wanted.amount_in, None),
        (swap_exact_out, wanted.amount_out, None),
        (swap_exact_in, wanted.amount_in * 2, wanted.sqrt_price_x96),
    ):
        try:
            yield ask(curve, amount, zero_for_one=down, limit_x96=limit)
        except Unquotable:
            continue


@pytest.mark.parametrize(
    ("name", "sign", "count"),
    [("univ3_swaps", 1, 62), ("univ3_swaps_osaka", 1, 24), ("univ4_swaps", -1, 23)],
)
def test_swaps_of_mainnet_come_out_to_the_wei(fixtures, name, sign, count):
    rows = list(swaps_inside_one_range(fixtures, name, sign))
    right = [any(wanted in told(curve, down, wanted) for curve in curves(row)) for row, down, wanted in rows]
    assert (len(rows), right.count(True)) == (count, count)


def test_the_prices_of_the_outermost_ticks_are_those_of_the_contract():
    assert (sqrt_price_at(MIN_TICK), sqrt_price_at(0), sqrt_price_at(MAX_TICK)) == (
        MIN_SQRT_PRICE,
        1 << 96,
        MAX_SQRT_PRICE,
    )
    with pytest.raises(ValueError, match="beyond"):
        sqrt_price_at(MAX_TICK + 1)


RANGES = (Tick(-1_200, 10**18), Tick(-60, 4 * 10**18), Tick(60, -4 * 10**18), Tick(1_200, -(10**18)))


def pool(fee_ppm=3_000, ticks=RANGES):
    return PriceCurve(1 << 96, 0, 5 * 10**18, fee_ppm, 60, ticks, -1_200, 1_200)


AMOUNTS = st.integers(1, 5 * 10**16)


@UNHURRIED
@given(amount=AMOUNTS, down=st.booleans())
def test_going_there_and_back_never_gains(amount, down):
    there = swap_exact_in(pool(), amount, zero_for_one=down)
    behind = PriceCurve(
        there.sqrt_price_x96, _tick_of(there), there.liquidity, 3_000, 60, RANGES, -1_200, 1_200
    )
    if there.amount_out:
        assert swap_exact_in(behind, there.amount_out, zero_for_one=not down).amount_out <= amount


def _tick_of(swapped):
    """The tick of a price: the highest whose price is not above it."""
    low, high = MIN_TICK, MAX_TICK
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if sqrt_price_at(middle) <= swapped.sqrt_price_x96 else (low, middle - 1)
    return low


@UNHURRIED
@given(amounts=st.tuples(AMOUNTS, AMOUNTS), down=st.booleans())
def test_more_in_is_never_less_out(amounts, down):
    less, more = (swap_exact_in(pool(), amount, zero_for_one=down).amount_out for amount in sorted(amounts))
    assert less <= more


@UNHURRIED
@given(amount=AMOUNTS, down=st.booleans())
def test_an_exact_output_costs_at_least_the_input_that_gives_it(amount, down):
    wanted = swap_exact_in(pool(), amount, zero_for_one=down).amount_out
    if wanted:
        asked = swap_exact_out(pool(), wanted, zero_for_one=down)
        assert asked.amount_out == wanted
        assert asked.amount_in <= amount + len(RANGES)  # a step rounds up by one at most


@pytest.mark.parametrize("down", [True, False])
def test_behind_a_tick_the_price_moves_as_the_liquidity_there_says(down):
    crossed = swap_exact_in(pool(fee_ppm=0), 4 * 10**16, zero_for_one=down)
    assert crossed.liquidity == 10**18
    thick = swap_exact_in(pool(fee_ppm=0, ticks=()), 4 * 10**16, zero_for_one=down)
    assert abs(crossed.sqrt_price_x96 - (1 << 96)) > abs(thick.sqrt_price_x96 - (1 << 96))
    assert crossed.amount_out < thick.amount_out


def test_a_price_limit_leaves_the_rest_of_the_input():
    limit = sqrt_price_at(-30)
    cut = swap_exact_in(pool(), 10**17, zero_for_one=True, limit_x96=limit)
    assert (cut.sqrt_price_x96, cut.amount_in < 10**17) == (limit, True)


def test_what_lies_beyond_the_known_ticks_is_not_guessed():
    with pytest.raises(Unquotable, match="known of the pool's ticks"):
        swap_exact_in(pool(), 10**21, zero_for_one=True)


@pytest.mark.parametrize("amount", [0, -1])
def test_nothing_is_no_swap(amount):
    with pytest.raises(Unquotable):
        swap_exact_in(pool(), amount, zero_for_one=True)
