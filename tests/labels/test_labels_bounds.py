"""What strangers write costs no more than its length: the work of a block grows with its logs."""

import time
from itertools import product

import pytest
from label_blocks import (
    ALICE,
    BOT,
    DAI,
    EVE,
    MALLORY,
    POOL,
    ROUTER,
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
from mev_dagster.labels.label import label_block

GENEROUS_CPU_SECONDS = 30
"""Work that grew with the pairs of what is written here would take minutes."""

CURVE_SWAP = topic("TokenExchange(address,int128,uint256,int128,uint256)")


def back_and_forth(count, pool=POOL):
    """So many swaps in one pool, a little lost with each."""
    legs = []
    for index in range(count):
        pair = (WETH, USD) if index % 2 == 0 else (USD, WETH)
        legs.append(swap(pool, pair[0], 10**9 - index, pair[1], 10**9 - index - 1, payer=BOT))
    return legs


def flat(legs):
    return [log for logs in legs for log in logs]


def in_one_transaction():
    return (tx(flat(back_and_forth(1_200)), key=EVE, to=BOT),)


def in_a_transaction_each_of_one_actor():
    return tuple(tx(logs, key=EVE, to=BOT) for logs in back_and_forth(1_200))


def in_a_transaction_each_of_two_who_take_turns():
    return tuple(
        tx(logs, key=(EVE, MALLORY)[index // 2 % 2], to=ROUTER)
        for index, logs in enumerate(back_and_forth(1_200))
    )


def buys_that_nobody_sells_back():
    bought = [swap(POOL, WETH, 10**9, USD, 10**6 + index, payer=BOT) for index in range(1_200)]
    return tuple(tx(logs, key=(ALICE, EVE)[index % 2], to=BOT) for index, logs in enumerate(bought))


def transfer_loops():
    ring = [bytes([2, index // 200, index % 200]) + bytes(17) for index in range(600)]
    logs = [transfer(WETH, giver, taker, 7) for giver, taker in zip(ring, ring[1:] + ring[:1], strict=True)]
    return (tx([*logs * 5, *swap(POOL, WETH, 100, USD, 50)], key=EVE, to=BOT),)


def everybody_to_everybody():
    some = [bytes([3, index]) + bytes(18) for index in range(40)]
    logs = [transfer(DAI, giver, taker, 7) for giver, taker in product(some, some) if giver != taker]
    return (tx(logs, key=EVE, to=BOT),)


def forged_events_of_a_pool_that_moved_much():
    forged = [
        Log(POOL, (CURVE_SWAP, word(BOT)), word(0) + word(10**6 + index) + word(1) + word(index + 1))
        for index in range(6_000)
    ]
    moved = [transfer((WETH, USD, DAI)[index % 3], ROUTER, POOL, index + 1) for index in range(6_000)]
    return (tx([*moved, *forged], key=EVE, to=BOT),)


@pytest.mark.parametrize(
    "made",
    [
        in_one_transaction,
        in_a_transaction_each_of_one_actor,
        in_a_transaction_each_of_two_who_take_turns,
        buys_that_nobody_sells_back,
        transfer_loops,
        everybody_to_everybody,
        forged_events_of_a_pool_that_moved_much,
    ],
)
def test_hostile_blocks_are_labelled_in_time_that_their_length_allows(made):
    made_block = block(*made())
    began = time.process_time()
    labels = label_block(made_block)
    assert time.process_time() - began < GENEROUS_CPU_SECONDS
    assert labels.of("arbitrage") == ()


def test_a_sandwich_among_hundreds_of_swaps_back_and_forth_is_found():
    noise = [tx(logs, key=MALLORY, to=BOT) for logs in back_and_forth(300)]
    ours = {"payer": address_of(EVE), "recipient": address_of(EVE)}
    front = tx(swap(POOL, WETH, 5 * 10**9, USD, 4 * 10**9, **ours), key=EVE)
    victim = tx(swap(POOL, WETH, 7 * 10**9, USD, 5 * 10**9, recipient=address_of(ALICE)))
    back = tx(swap(POOL, USD, 4 * 10**9, WETH, 6 * 10**9, **ours), key=EVE)
    labels = label_block(block(*noise[:151], front, victim, back, *noise[151:]))
    found = [one for one in labels.of("sandwich") if one.beneficiary == address_of(EVE)]
    assert [one.profit for one in found] == [((WETH, 10**9),)]
