"""What is suspected and no more: trades against other exchanges, and places paid for without a name."""

from dataclasses import replace
from importlib.resources import files

from label_blocks import ALICE, BOT, EVE, OTHER_POOL, POOL, ROUTER, USD, WETH, block, swap, tx

from mev_dagster.backtest.opportunity import landed_in
from mev_dagster.chain.signing import address_of
from mev_dagster.labels.label import label_block
from mev_dagster.labels.landed import Lack
from mev_dagster.labels.value import NOT_TAKEN, Confidence

ONE_WAY = swap(POOL, WETH, 10**18, USD, 500, payer=BOT)
OTHERS = [tx(swap(OTHER_POOL, USD, 5, WETH, 9, recipient=address_of(ALICE))) for _ in range(7)]
PAID = 10**15


def found(kind, *txs, lacks=()):
    return label_block(replace(block(*txs), lacks=lacks)).of(kind)


def bot(logs=ONE_WAY, *, paid=PAID, to=BOT):
    return tx(logs, key=EVE, to=to, paid=paid)


def test_one_way_at_the_top_and_dearly_paid_is_suspected():
    (label,) = found("cex_dex", bot(), *OTHERS)
    assert (label.accounts, label.venues, label.confidence) == (
        (BOT, address_of(EVE)),
        (POOL,),
        Confidence.LOW,
    )
    assert dict(label.profit) == {WETH: -(10**18), USD: 500}
    assert (label.net_wei, label.costs.coinbase_wei) == (None, PAID)


def test_further_down_in_the_block_it_is_not():
    assert found("cex_dex", *OTHERS, bot()) == ()


def test_a_user_behind_a_router_is_not():
    through = swap(POOL, WETH, 10**18, USD, 500, payer=ROUTER, recipient=address_of(EVE))
    assert found("cex_dex", bot(through, to=ROUTER), *OTHERS) == ()


def test_who_swaps_both_ways_is_not():
    assert found("cex_dex", bot([*ONE_WAY, *swap(OTHER_POOL, USD, 100, WETH, 7, payer=BOT)]), *OTHERS) == ()


def test_who_pays_little_for_much_is_not():
    much = swap(POOL, WETH, 10**21, USD, 500, payer=BOT)
    assert found("cex_dex", bot(much), *OTHERS) == ()
    assert found("cex_dex", bot(paid=10), *OTHERS) == ()


def test_where_payments_are_not_known_nobody_is_suspected():
    assert found("cex_dex", bot(), *OTHERS, lacks=(Lack.COINBASE_PAYMENTS,)) == ()


def test_a_place_that_was_paid_for_without_a_known_reason_is_unclassified():
    (label,) = found("suspect", *OTHERS, bot(paid=10**16))
    assert (label.profit, label.net_wei, label.costs.coinbase_wei) == ((), None, 10**16)
    assert found("suspect", *OTHERS, bot(paid=10**15)) == ()


def test_nothing_is_missed_by_who_finds_no_suspect():
    labels = label_block(block(bot(), *OTHERS, bot(paid=10**16)))
    assert [label.kind for label in labels.labels] == ["cex_dex", "suspect"]
    assert list(landed_in(labels)) == []


def test_stored_labels_leave_out_the_same_kinds():
    query = files("mev_dagster.blockrun").joinpath("landed_opportunities.sql").read_text()
    named = query.partition("kind NOT IN (")[2].partition(")")[0]
    assert {name.strip(" '") for name in named.split(",")} == NOT_TAKEN
