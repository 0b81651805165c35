"""Sizes at a peak inside the range, and the bound above what any size pays: against every size there is."""

import pytest

from mev_dagster.dex.constant_product import Fee, Hop, amounts_along
from mev_dagster.dex.executor import EXECUTE, SwapStep, encode_execute
from mev_dagster.dex.frontrun import ExactInput, optimal_sandwich, sandwich_of
from mev_dagster.dex.sizing import compose, most_profit

FEE = Fee(997, 1000)
UNIT = 10**18


@pytest.mark.parametrize(
    ("reserve_in", "reserve_out", "victim_in"),
    [(50, 50, 4), (20, 90, 3), (60, 9, 9), (35, 35, 7)],
)
def test_behind_a_loose_limit_the_best_size_is_a_peak_that_no_size_of_a_grid_beats(
    reserve_in, reserve_out, victim_in
):
    hop = Hop(reserve_in * UNIT, reserve_out * UNIT, FEE)
    victim, limit = ExactInput(victim_in * UNIT, 1), 4_000 * UNIT
    quotes = [sandwich_of(limit * step // 4_000, victim, hop) for step in range(1, 4_001)]
    best = max((quote for quote in quotes if quote), key=lambda quote: quote.profit)
    found = optimal_sandwich(victim, hop, limit)
    assert found is not None
    assert found.front_in < limit
    assert found.profit >= best.profit
    assert abs(found.front_in - best.front_in) <= limit // 2_000


@pytest.mark.parametrize(
    "cycle",
    [
        (Hop(10_000, 12_000, FEE), Hop(11_000, 13_000, FEE)),
        (Hop(900, 4_000, FEE), Hop(5_000, 3_000, FEE), Hop(2_000, 2_000, FEE)),
        (Hop(40, 70, FEE), Hop(3_000, 4_100, FEE)),
    ],
)
def test_no_size_pays_more_than_the_bound_and_the_best_comes_close(cycle):
    paid = [amounts_along(size, cycle)[-1] - size for size in range(1, 20_000)]
    bound = most_profit(compose(cycle))
    assert max(paid) <= bound
    assert bound - max(paid) <= 0.1 * bound + 4


def test_a_call_of_the_executor_pays_the_coinbase_nothing_unless_told():
    step = SwapStep(b"\x01" * 20, b"\x02" * 20, 5, 0, 7, b"\x03" * 20)
    words = encode_execute([step], b"\x04" * 20, 9)[len(EXECUTE) :]
    assert [int.from_bytes(words[32 * n : 32 * n + 32], "big") for n in (2, 3, 4)] == [9, 0, 1]
    told = encode_execute([step], b"\x04" * 20, 9, 11)[len(EXECUTE) :]
    assert int.from_bytes(told[96:128], "big") == 11


@pytest.mark.parametrize("count", [0, 9])
def test_the_executor_takes_one_to_eight_steps(count):
    step = SwapStep(b"\x01" * 20, b"\x02" * 20, 5, 0, 7, b"\x03" * 20)
    with pytest.raises(ValueError, match=f"1 to 8 steps, not {count}"):
        encode_execute([step] * count, b"\x04" * 20)
