"""What an actor holds more afterwards, however the value went around."""

import pytest
from label_blocks import (
    BOT,
    DAI,
    EVE,
    OTHER_POOL,
    POOL,
    ROUTER,
    THIRD_POOL,
    USD,
    WETH,
    block,
    swap,
    transfer,
    tx,
    word,
)

from mev_dagster.chain.receipts import Log
from mev_dagster.chain.signing import address_of
from mev_dagster.dex.abi import topic
from mev_dagster.dex.venues.maker_psm.events import BUY_GEM_TOPIC
from mev_dagster.evm.types import CallFrame
from mev_dagster.labels.flow import Movement, movements_of
from mev_dagster.labels.label import label_block
from mev_dagster.labels.swap_tokens import MOST_SEARCHES, Known

USER, TREASURY = address_of(EVE), b"\x44" * 20


def arbitrages(logs, to=BOT):
    return label_block(block(tx(logs, key=EVE, to=to))).of("arbitrage")


def own(pool, token_in, amount_in, token_out, amount_out):
    return swap(pool, token_in, amount_in, token_out, amount_out, payer=BOT)


def test_what_events_claim_and_nobody_moved_is_no_profit():
    claimed = swap(POOL, WETH, 10**18, DAI, 5)[2:] + swap(OTHER_POOL, DAI, 5, WETH, 10**24)[2:]
    moved = [
        transfer(WETH, BOT, POOL, 1),
        transfer(DAI, POOL, BOT, 1),
        transfer(DAI, BOT, OTHER_POOL, 1),
        transfer(WETH, OTHER_POOL, BOT, 1),
    ]
    assert arbitrages(moved + claimed) == ()


def test_a_way_that_splits_and_merges_is_one_arbitrage():
    logs = [
        *own(POOL, WETH, 1000, DAI, 1000),
        *own(OTHER_POOL, DAI, 600, WETH, 640),
        *own(THIRD_POOL, DAI, 400, WETH, 420),
    ]
    (found,) = arbitrages(logs)
    assert (found.profit, len(found.venues)) == (((WETH, 60),), 3)


def test_a_tokens_tax_is_no_profit_and_what_is_left_of_it_is_told():
    logs = [*own(POOL, WETH, 100, DAI, 1000), *own(OTHER_POOL, DAI, 902, WETH, 120)]
    logs[1] = transfer(DAI, POOL, BOT, 950)
    (found,) = arbitrages(logs)
    assert dict(found.profit) == {WETH: 20, DAI: 48}


def test_who_received_it_earned_it_not_the_router():
    logs = [
        *swap(POOL, WETH, 100, USD, 50, payer=USER, recipient=OTHER_POOL),
        *swap(OTHER_POOL, USD, 50, WETH, 130, payer=POOL, recipient=USER)[1:],
    ]
    (found,) = arbitrages(logs, to=ROUTER)
    assert (found.beneficiary, found.profit) == (USER, ((WETH, 30),))


def test_a_profit_paid_out_to_a_treasury_is_the_actors():
    logs = [*own(POOL, WETH, 100, USD, 50), *own(OTHER_POOL, USD, 50, WETH, 130)]
    (found,) = arbitrages([*logs, transfer(WETH, BOT, TREASURY, 30)])
    assert (found.beneficiary, found.profit) == (TREASURY, ((WETH, 30),))


def test_a_leftover_unit_neither_hides_nor_makes_a_profit():
    logs = [*own(POOL, WETH, 10**6, USD, 10**6 + 1), *own(OTHER_POOL, USD, 10**6, WETH, 10**6 + 7)]
    assert [found.profit for found in arbitrages(logs)] == [((WETH, 7),)]
    logs = [*own(POOL, WETH, 10**6, USD, 10**6 - 1), *own(OTHER_POOL, USD, 10**6, WETH, 10**6 + 7)]
    assert [found.profit for found in arbitrages(logs)] == [((WETH, 7),)]


def test_what_was_claimed_and_sold_is_no_arbitrage():
    claim = [transfer(DAI, THIRD_POOL, BOT, 50), *swap(THIRD_POOL, USD, 1, DAI, 1)[2:]]
    assert arbitrages([*claim, *own(POOL, DAI, 50, WETH, 40)]) == ()


def test_filling_somebodys_order_is_no_atomic_arbitrage():
    maker = b"\x66" * 20
    order = [transfer(USD, maker, BOT, 100), transfer(WETH, BOT, maker, 40)]
    assert arbitrages([*order, *own(POOL, USD, 100, WETH, 45)]) == ()


MAKER, SETTLEMENT = b"\x66" * 20, b"\x67" * 20
FILLED = [transfer(USD, MAKER, BOT, 100), transfer(WETH, BOT, MAKER, 40)]


def ordered(signature, *topics, words=1):
    return Log(SETTLEMENT, (topic(signature), *map(word, topics)), bytes(32 * words))


ORDERS = [
    ordered("OrderFilled(address,bytes32,uint256)", MAKER, words=2),
    ordered("OrderFilled(bytes32,uint256)", words=2),
    ordered("Fill(bytes32,address,address,uint256)", b"\1" * 32, BOT, MAKER),
    ordered("Trade(address,address,address,uint256,uint256,uint256,bytes)", MAKER, words=9),
]


@pytest.mark.parametrize("order", ORDERS)
def test_filling_a_signed_order_out_of_pools_is_an_arbitrage_with_its_maker(order):
    (found,) = arbitrages([*FILLED, *own(POOL, USD, 100, WETH, 45), order])
    assert (found.profit, found.venues, found.confidence) == (((WETH, 5),), (POOL, MAKER), "medium")


def test_what_a_settlement_keeps_of_its_users_orders_is_nobodys_arbitrage():
    fills = [transfer(USD, MAKER, SETTLEMENT, 100), transfer(WETH, SETTLEMENT, MAKER, 40)]
    swapped = swap(POOL, USD, 100, WETH, 45, payer=SETTLEMENT, recipient=SETTLEMENT)
    assert arbitrages([*fills, *swapped, ORDERS[3]], to=SETTLEMENT) == ()


def test_one_order_without_a_maker_stands_for_one_silent_trader_alone():
    other = b"\x68" * 20
    second = [transfer(DAI, other, BOT, 10), transfer(WETH, BOT, other, 4)]
    swaps = [*own(POOL, USD, 100, WETH, 45), *own(OTHER_POOL, DAI, 10, WETH, 5)]
    assert arbitrages([*FILLED, *second, *swaps, ORDERS[1]]) == ()
    (found,) = arbitrages([*FILLED, *second, *swaps, ORDERS[1], ORDERS[1]])
    assert found.profit == ((WETH, 6),)


@pytest.mark.parametrize("pools", [2, 60, 400])
def test_swapping_back_and_forth_at_a_loss_ends_at_once_with_nothing(pools):
    logs = []
    for index in range(pools):
        pair = (WETH, DAI) if index % 2 == 0 else (DAI, WETH)
        logs += own(
            bytes([index // 200 + 1, index % 200 + 1]) * 10,
            pair[0],
            10**6 - index,
            pair[1],
            10**6 - index - 1,
        )
    assert arbitrages(logs) == ()


def frame(depth, sender, to, value_wei, *, error="", kind="CALL"):
    return CallFrame(depth, kind, sender, to, value_wei, 0, 0, b"", b"", error)


def test_ether_moves_with_the_calls_that_were_not_undone():
    frames = (
        frame(0, USER, BOT, 5),
        frame(1, BOT, POOL, 7, error="Reverted"),
        frame(2, POOL, ROUTER, 7),
        frame(1, BOT, OTHER_POOL, 3),
        frame(1, BOT, THIRD_POOL, 3, kind="DELEGATECALL"),
        frame(1, BOT, WETH, 2),
    )
    assert movements_of((), frames, WETH) == (
        Movement(WETH, USER, BOT, 5),
        Movement(WETH, BOT, OTHER_POOL, 3),
    )


PSM, POCKET = b"\x51" * 20, b"\x52" * 20
COINS = 25
PAID = COINS * 10**12


def through_the_module(given, paid=PAID):
    """Dai for a coin out of the module's pocket, then back to more dai in a pool."""
    bought = Log(PSM, (BUY_GEM_TOPIC, word(BOT)), word(COINS) + word(0))
    module = [transfer(DAI, BOT, PSM, paid), transfer(USD, POCKET, BOT, given), bought]
    return arbitrages([*module, *own(POOL, USD, COINS, DAI, PAID + 10**11)])


def test_what_leaves_a_pools_pocket_is_the_pools():
    (found,) = through_the_module(COINS)
    assert (found.profit, set(found.venues)) == (((DAI, 10**11),), {PSM, POOL})


@pytest.mark.parametrize(("given", "paid"), [(COINS + 1, PAID), (COINS, PAID - 1)])
def test_a_pocket_is_believed_only_where_the_module_took_and_it_gave_exactly_that(given, paid):
    assert not any(PSM in found.venues for found in through_the_module(given, paid))


def test_only_so_many_pools_of_a_block_are_searched_for():
    known = Known()
    asked = [known.may_search((POOL, bytes([number]))) for number in range(MOST_SEARCHES + 5)]
    assert sum(asked) == MOST_SEARCHES
    assert known.may_search((POOL, bytes([0])))
