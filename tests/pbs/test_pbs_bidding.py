"""How much of a block's value is offered, and what can be afforded."""

from hypothesis import given
from hypothesis import strategies as st

from mev_dagster.pbs import bidding

values = st.integers(-(10**18), 10**21)


@given(
    value=values,
    top=st.none() | st.integers(0, 10**21),
    ms=st.integers(-100, 5_000),
    bps=st.integers(0, 10_000),
)
def test_no_strategy_offers_more_than_the_block_is_worth(value, top, ms, bps):
    seen = bidding.BidContext(value, top, ms)
    for strategy in (
        bidding.TrueValue(),
        bidding.FixedMargin(bps, 10),
        bidding.Outbid(increment_wei=3, min_margin_wei=5),
        bidding.Timed(bps, bps // 2),
        bidding.Subsidised(bidding.FixedMargin(bps), cap_wei=0),
    ):
        offered = strategy.bid(seen)
        assert offered is None or 0 < offered <= value


@given(value=values, top=st.integers(0, 10**21), cap=st.integers(0, 10**18))
def test_a_subsidy_stays_within_its_cap_and_only_serves_to_win(value, top, cap):
    offered = bidding.Subsidised(bidding.TrueValue(), cap).bid(bidding.BidContext(value, top))
    if offered is not None and offered > max(value, 0):
        assert offered == top + 1
        assert offered - max(value, 0) <= cap


def test_margins_shrink_as_the_slot_goes_on_and_bidding_ends_at_the_cut_off():
    strategy = bidding.Timed(first_share_bps=2_000, last_share_bps=0, cutoff_ms=1_000)
    offers = [strategy.bid(bidding.BidContext(10_000, None, ms)) for ms in (0, 500, 1_000, 1_001)]
    assert offers == [8_000, 9_000, 10_000, None]


def test_outbidding_costs_one_increment_and_never_the_margin():
    strategy = bidding.Outbid(increment_wei=10, min_margin_wei=100)
    assert strategy.bid(bidding.BidContext(1_000, 500)) == 510
    assert strategy.bid(bidding.BidContext(1_000, 895)) is None
    assert strategy.bid(bidding.BidContext(1_000, None)) == 900
