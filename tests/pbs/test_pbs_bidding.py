"""How much of a block's value is offered, and what can be afforded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pbs_devnet import ETHER, context, state, transfer

from mev_dagster.errors import InputError
from mev_dagster.evm.engines import get_engine
from mev_dagster.pbs import bidding
from mev_dagster.pbs.bid_strategies import bid_strategy, strategies_of
from mev_dagster.pbs.context import Proposer
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.template import build_template
from mev_dagster.settings import RelayItem

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


@given(
    value=values,
    top=st.none() | st.integers(0, 10**21),
    cap=st.integers(0, 10**21),
    bps=st.integers(0, 10_000),
    affordable=st.integers(-(10**18), 10**21),
)
def test_nothing_is_offered_that_cannot_be_paid(value, top, cap, bps, affordable):
    seen = bidding.BidContext(value, top, 0, affordable)
    for strategy in (
        bidding.TrueValue(),
        bidding.FixedMargin(bps),
        bidding.Outbid(),
        bidding.Timed(bps, 0),
        bidding.Subsidised(bidding.FixedMargin(bps), cap),
    ):
        assert 0 <= bidding.offer_wei(strategy, seen) <= max(affordable, 0)


def test_a_subsidy_that_cannot_win_is_not_paid():
    strategy = bidding.Subsidised(bidding.FixedMargin(1_000), 1_000)
    assert bidding.offer_wei(strategy, bidding.BidContext(1_000, 1_200, 0, 5_000)) == 1_201
    assert bidding.offer_wei(strategy, bidding.BidContext(1_000, 1_200, 0, 1_100)) == 900
    assert bidding.offer_wei(strategy, bidding.BidContext(1_000, 9_000, 0, 50_000)) == 900


PROPOSER = Proposer(b"\xa5" * 48, b"\x9e" * 20, 30_000_000)
KEYS = Keyring.test_only("bidding")


@pytest.mark.parametrize("top_bid_wei", [2 * 10**16, 10**15, 0, None])
def test_a_subsidised_block_is_built_whatever_the_coinbase_holds(top_bid_wei):
    template = build_template(
        get_engine("py_evm"),
        state(),
        context(),
        PROPOSER,
        KEYS,
        pending=[transfer(number, tip_gwei=50) for number in range(3)],
        strategy=bidding.Subsidised(bidding.FixedMargin(1_000), ETHER // 2),
        top_bid_wei=top_bid_wei,
    )
    assert 0 < template.bid_wei <= template.block_value_wei - template.payout_cost_wei


# By name


@pytest.mark.parametrize(
    ("name", "options", "strategy"),
    [
        ("true_value", {}, bidding.TrueValue()),
        ("fixed_margin", {"amount_wei": "100000000000000000000"}, bidding.FixedMargin(0, 10**20)),
        ("outbid", {"increment_wei": 7}, bidding.Outbid(7, 0)),
        ("timed", {"first_share_bps": 500}, bidding.Timed(500, 0)),
        ("subsidised", {"cap_wei": 9, "share_bps": 10}, bidding.Subsidised(bidding.FixedMargin(10), 9)),
    ],
)
def test_a_strategy_is_made_from_its_name_and_options(name, options, strategy):
    assert bid_strategy(name, options) == strategy


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("true_valu", {}, "did you mean true_value"),
        ("zzz", {}, "there are fixed_margin"),
        ("timed", {}, "first_share_bps"),
        ("true_value", {"cap_wei": 1}, "cap_wei"),
        ("fixed_margin", {"share_bps": 0.5}, "expected an integer"),
        ("fixed_margin", {"share_bps": -1}, "expected an integer"),
        ("fixed_margin", {"share_bps": True}, "expected an integer"),
        ("fixed_margin", {"share_bps": "1e3"}, "expected an integer"),
    ],
)
def test_a_strategy_that_cannot_be_made_is_one_clear_line(name, options, said):
    with pytest.raises(InputError, match=said):
        bid_strategy(name, options)


def test_each_relay_has_the_strategy_its_own_item_names():
    told = {"strategy": "fixed_margin", "options": {"share_bps": 1}}
    items = [
        RelayItem(url="http://127.0.0.1:1", name="one", **told),
        RelayItem(url="http://127.0.0.1:2", name="two"),
        RelayItem(url="http://127.0.0.1:3", name="three", **told),
    ]
    found = strategies_of(items)
    assert found == {
        "one": bidding.FixedMargin(1),
        "two": bidding.TrueValue(),
        "three": bidding.FixedMargin(1),
    }
    assert found["one"] is found["three"]
