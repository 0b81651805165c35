"""A provider's rate is learned from its refusals."""

from mev_dagster.node.pace import FASTEST, SLOWEST, Pace
from mev_dagster.units import NS_PER_SECOND


def test_calls_are_spread_over_the_second():
    pace = Pace(per_second=10)
    assert [pace.wait_ns(0) for _ in range(3)] == [0, NS_PER_SECOND // 10, 2 * NS_PER_SECOND // 10]


def test_refusals_within_a_second_count_once_and_later_ones_again():
    pace = Pace()
    for _ in range(100):
        pace.refused(0)
    after_one = pace.per_second
    pace.refused(NS_PER_SECOND)
    assert SLOWEST < pace.per_second < after_one < FASTEST


def test_a_provider_that_answers_again_is_asked_faster_again():
    pace = Pace()
    pace.refused(0)
    slow = pace.per_second
    for _ in range(100):
        pace.answered()
    assert slow < pace.per_second <= FASTEST


def test_no_refusal_stops_the_calls():
    pace = Pace()
    for second in range(1_000):
        pace.refused(second * NS_PER_SECOND)
    assert pace.per_second == SLOWEST
