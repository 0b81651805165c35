"""Orders come, are replaced, cancelled, built with and let go of, and every step of it is a row."""

import itertools

import pytest
from pbs_devnet import TIP_JAR, call, transfer

from mev_dagster.pbs import order_pool
from mev_dagster.pbs.order_pool import OrderPool, OrderState, OrderWindow, Replacement
from mev_dagster.pbs.ordering import Dropped, Included
from mev_dagster.pbs.orders import Order, OrderKind

SIGNER = b"\x51" * 20
ALWAYS = OrderWindow(1, 100)


def order(number: int) -> Order:
    return Order(number.to_bytes(32, "big"), OrderKind.BUNDLE, (transfer(number % 8, tip_gwei=number + 1),))


def numbered(number: int, identifier: str = "a") -> Replacement:
    return Replacement(SIGNER, identifier, number)


def rows(pool: OrderPool) -> list[tuple[int, str, str]]:
    return [(event.order_id[-1], event.state, event.reason) for event in pool.events]


@pytest.mark.parametrize("arrivals", list(itertools.permutations([1, 2, 3])))
def test_the_highest_number_stands_whatever_arrives_first(arrivals):
    pool = OrderPool()
    for number in arrivals:
        pool.add(order(number), ALWAYS, numbered(number))
    assert list(pool.for_block(5, 0)) == [order(3)]


def test_another_identifier_or_signer_replaces_nothing():
    pool = OrderPool()
    pool.add(order(1), ALWAYS, numbered(1))
    pool.add(order(2), ALWAYS, numbered(2, "b"))
    pool.add(order(3), ALWAYS, Replacement(b"\x52" * 20, "a", 3))
    assert len(pool) == 3


def test_a_cancelled_order_does_not_come_back_late():
    pool = OrderPool()
    pool.add(order(1), ALWAYS, numbered(1))
    assert pool.cancel(numbered(2))
    assert not pool.add(order(2), ALWAYS, numbered(2))
    assert rows(pool) == [(1, "received", ""), (1, "cancelled", ""), (2, "refused", "cancelled")]
    assert pool.add(order(3), ALWAYS, numbered(3))


def test_a_cancel_that_is_overtaken_takes_nothing_out():
    pool = OrderPool()
    pool.add(order(2), ALWAYS, numbered(2))
    assert not pool.cancel(numbered(1))
    assert len(pool) == 1


@pytest.mark.parametrize(
    ("window", "block", "timestamp", "holds"),
    [
        (OrderWindow(5, 7), 5, 0, True), (OrderWindow(5, 7), 7, 0, True), (OrderWindow(5, 7), 4, 0, False),
        (OrderWindow(5, 7), 8, 0, False), (OrderWindow(5, 7, 10, 20), 6, 9, False),
        (OrderWindow(5, 7, 10, 20), 6, 10, True),
        (OrderWindow(5, 7, 10, 20), 6, 20, True), (OrderWindow(5, 7, 10, 20), 6, 21, False),
    ],
)  # fmt: skip
def test_an_order_is_offered_within_its_window_alone(window, block, timestamp, holds):
    pool = OrderPool()
    pool.add(order(1), window)
    assert bool(list(pool.for_block(block, timestamp))) is holds


def test_what_a_block_did_with_an_order_is_a_row_and_it_stays_until_it_lands():
    pool, one, two = OrderPool(), order(1), order(2)
    pool.add(one, ALWAYS)
    pool.add(two, OrderWindow(1, 5))
    pool.built(5, [Included(one, 7, ())], [Dropped(two, "conflict", "")])
    assert [(event.state, event.block, event.reason) for event in list(pool.events)[2:]] == [
        (OrderState.INCLUDED, 5, ""),
        (OrderState.DROPPED, 5, "conflict"),
    ]
    pool.landed(5, [one.txs[0].hash])
    assert rows(pool)[4:] == [(1, "expired", "landed"), (2, "expired", "window_over")]
    assert len(pool) == 0
    assert not pool.add(two, OrderWindow(1, 5))


def test_a_full_pool_refuses_but_a_replacement_still_takes_its_place(monkeypatch):
    monkeypatch.setattr(order_pool, "MOST_ORDERS", 2)
    pool = OrderPool()
    pool.add(order(1), ALWAYS, numbered(1))
    pool.add(order(2), ALWAYS)
    assert not pool.add(order(3), ALWAYS)
    assert pool.add(order(4), ALWAYS, numbered(2))
    assert [one.order_id[-1] for one in pool.for_block(1, 0)] == [2, 4]


@pytest.mark.parametrize("empty", [True, False])
def test_an_order_that_says_nothing_new_is_refused(empty):
    pool = OrderPool()
    one = Order(bytes(32), OrderKind.BUNDLE, () if empty else (call(0, TIP_JAR),))
    assert pool.add(one, ALWAYS) is not empty
    assert not pool.add(one, ALWAYS)
    assert rows(pool)[-1][2] == ("empty" if empty else "known")
