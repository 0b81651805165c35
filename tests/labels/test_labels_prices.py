"""What other tokens than ether are worth: the block's own trades say, and no more than was given for them."""

from label_blocks import (
    BOT,
    DAI,
    EVE,
    GAS_COST_WEI,
    OTHER_POOL,
    POOL,
    THIRD_POOL,
    USD,
    WETH,
    block,
    swap,
    tx,
)

from mev_dagster.labels.label import label_block
from mev_dagster.labels.prices import Price
from mev_dagster.labels.report import labels_to_json
from mev_dagster.labels.value import Confidence

CIRCLE = [
    *swap(POOL, USD, 1_000, DAI, 500, payer=BOT),
    *swap(OTHER_POOL, DAI, 500, USD, 1_100, payer=BOT),
]


def circle_beside(*others):
    return label_block(block(tx(CIRCLE, key=EVE, to=BOT), *map(tx, others)))


def net_beside(*others):
    (found,) = circle_beside(*others).of("arbitrage")
    assert found.profit == ((USD, 100),)
    return found.net_wei


def test_a_token_is_worth_what_ether_was_given_for_it_all_in_all():
    sold = swap(THIRD_POOL, WETH, 60_000, USD, 100)
    bought = swap(THIRD_POOL, USD, 300, WETH, 140_000)
    assert net_beside(sold, bought) == 100 * 200_000 // 400 - GAS_COST_WEI


def test_where_nobody_traded_it_for_ether_the_token_between_tells():
    # 2,100 dollars were traded for 1,000 dai, and 50 dai for 70,000 wei: all dai are worth no more than that.
    assert net_beside(swap(THIRD_POOL, WETH, 70_000, DAI, 50)) == 100 * 70_000 // 2_100 - GAS_COST_WEI


def test_without_any_trade_there_is_no_price_and_no_net():
    assert net_beside() is None


def test_nothing_is_worth_more_than_was_given_for_all_of_it():
    assert net_beside(swap(THIRD_POOL, WETH, 5_000, USD, 2)) == 5_000 - GAS_COST_WEI


def test_an_event_that_nothing_moved_behind_makes_no_price():
    forged = swap(THIRD_POOL, WETH, 10**24, USD, 100)[2:]
    real = swap(THIRD_POOL, WETH, 60_000, USD, 100)
    assert net_beside(real, forged) == 60_000 - GAS_COST_WEI


def test_a_price_makes_an_estimate_and_is_said_with_the_label():
    labels = circle_beside(swap(THIRD_POOL, WETH, 60_000, USD, 100))
    assert labels.of("arbitrage")[0].confidence is Confidence.MEDIUM
    assert labels.prices == ((USD, Price(100, 60_000)),)
    assert labels_to_json(labels)["prices"] == [{"token": USD, "amount": 100, "wei": 60_000, "through": None}]
