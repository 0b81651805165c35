"""What a sandwich earned is what its accounts hold more, however its legs are cut, and who paid for it."""

import pytest
from label_blocks import (
    ALICE,
    BOT,
    DAI,
    EVE,
    GAS_COST_WEI,
    MALLORY,
    OTHER_POOL,
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
from mev_dagster.dex.venues.uniswap_v2.events import SYNC_TOPIC
from mev_dagster.labels.inspectors.jit import BURN_TOPIC, MINT_TOPIC
from mev_dagster.labels.label import label_block

VAULT = b"\x55" * 20
USER = address_of(EVE)


def sandwiches(*txs):
    return label_block(block(*txs)).of("sandwich")


def own(*logs, key=EVE, to=BOT):
    return tx([one for several in logs for one in several], key=key, to=to)


def buys(amount_in=1_000_000, amount_out=1000, pool=POOL, **more):
    return swap(pool, WETH, amount_in, USD, amount_out, payer=BOT, **more)


def sells(amount_in, amount_out, pool=POOL, **more):
    return swap(pool, USD, amount_in, WETH, amount_out, payer=BOT, **more)


def victim(pool=POOL, token_in=WETH, token_out=USD):
    return tx(swap(pool, token_in, 50_000, token_out, 20, recipient=address_of(ALICE)))


def test_sold_back_in_two_transactions_is_one_sandwich_that_pays_gas_for_three():
    (found,) = sandwiches(own(buys()), victim(), own(sells(400, 420_000)), own(sells(600, 620_000)))
    assert (found.profit, len(found.tx_hashes)) == (((WETH, 40_000),), 3)
    assert found.net_wei == 40_000 - 3 * GAS_COST_WEI


def test_bought_in_two_transactions_is_one_sandwich():
    (found,) = sandwiches(
        own(buys(400_000, 400)), own(buys(600_000, 600)), victim(), own(sells(1000, 1_040_000))
    )
    assert (found.profit, len(found.tx_hashes)) == (((WETH, 40_000),), 3)


def test_an_older_stock_sold_with_it_never_counts():
    bought = swap(POOL, USD, 1_000_000, WETH, 100, payer=BOT)
    sold = swap(POOL, WETH, 300, USD, 3_200_000, payer=BOT)
    (found,) = sandwiches(own(bought), victim(POOL, USD, WETH), own(sold))
    assert found.profit == ((USD, 66_666),)


def test_what_was_kept_counts_neither_as_cost_nor_as_profit():
    (found,) = sandwiches(own(buys()), victim(), own(sells(800, 840_000)))
    assert found.profit == ((WETH, 40_000),)


def test_selling_half_of_it_at_a_loss_is_what_users_do():
    mine = {"payer": USER, "recipient": USER}
    bought, sold = swap(POOL, WETH, 1000, USD, 900, **mine), swap(POOL, USD, 450, WETH, 430, **mine)
    assert sandwiches(own(bought, to=ROUTER), victim(), own(sold, to=ROUTER)) == ()


def test_liquidity_added_and_taken_again_is_no_loss():
    place = (word(BOT), word(-60), word(60))
    mint = Log(POOL, (MINT_TOPIC, *place), b"".join(map(word, (BOT, 777, 968_524, 347_748))))
    burn = Log(POOL, (BURN_TOPIC, *place), b"".join(map(word, (777, 971_479, 344_883))))
    added = [transfer(WETH, BOT, POOL, 968_524), transfer(USD, BOT, POOL, 347_748), mint]
    taken = [burn, transfer(WETH, POOL, BOT, 971_479), transfer(USD, POOL, BOT, 344_883)]
    labels = label_block(
        block(
            own(buys(15_425, 15_392, v3=True), added),
            tx(swap(POOL, WETH, 5000, USD, 4990, recipient=address_of(ALICE), v3=True)),
            own(taken, sells(12_527, 12_554, v3=True)),
        )
    )
    assert [(label.kind, label.profit) for label in labels.labels] == [("sandwich", ((WETH, 84),))]


def test_a_token_borrowed_from_another_pool_is_not_its_profit():
    front = [
        *swap(OTHER_POOL, WETH, 467, DAI, 12_065, payer=BOT),
        *swap(POOL, DAI, 12_065, WETH, 405, payer=BOT),
    ]
    back = [
        *swap(POOL, WETH, 432, DAI, 13_156, payer=BOT),
        *swap(OTHER_POOL, DAI, 13_156, WETH, 501, payer=BOT),
    ]
    (found,) = sandwiches(own(front), victim(POOL, DAI, WETH), own(back))
    assert found.profit == ((WETH, 7),)


def test_two_pools_in_the_same_transactions_are_one_sandwich_that_pays_once():
    (found,) = sandwiches(
        own(buys(), buys(500_000, 500, OTHER_POOL)),
        victim(),
        victim(OTHER_POOL),
        own(sells(1000, 1_010_000), sells(500, 505_000, OTHER_POOL)),
    )
    assert (found.profit, found.venues) == (((WETH, 15_000),), (POOL, OTHER_POOL))
    assert (found.net_wei, len(found.victims)) == (15_000 - 2 * GAS_COST_WEI, 2)


def test_a_vault_that_holds_what_was_bought_links_the_legs_of_two_signers():
    bought = swap(POOL, WETH, 1_000_000, USD, 1000, payer=VAULT, recipient=VAULT)
    sold = swap(POOL, USD, 1000, WETH, 1_040_000, payer=VAULT, recipient=VAULT)
    (found,) = sandwiches(own(bought), victim(), own(sold, key=MALLORY, to=b"\x98" * 20))
    assert (found.beneficiary, found.profit) == (VAULT, ((WETH, 40_000),))


def test_a_router_that_unwraps_for_its_users_is_nobodys_accomplice():
    kinds = {"recipient": ROUTER}
    unwrapped = Log(
        WETH,
        (bytes.fromhex("7fcf532c15f0a6db0bd6d0e038bea71d30d808c7d98cb3bf7268a95bf5081b65"), word(ROUTER)),
        word(1_000_000),
    )
    sold = [*swap(POOL, USD, 1000, WETH, 1_000_000, payer=USER, **kinds), unwrapped]
    bought = swap(POOL, WETH, 990_000, USD, 1000, recipient=address_of(MALLORY))
    found = sandwiches(own(sold, to=ROUTER), victim(POOL, USD, WETH), own(bought, key=MALLORY, to=ROUTER))
    assert found == ()


def test_what_events_claim_of_the_sale_is_not_what_it_earned():
    claimed = sells(1000, 9_000_000_000)[2:]
    moved = sells(1000, 1_010_000)[:2]
    (found,) = sandwiches(own(buys()), victim(), own([*moved, *claimed]))
    assert found.profit == ((WETH, 10_000),)


def with_reserves(logs, pool_in, pool_out):
    """The logs of a pair's swap with its Sync; WETH is token0."""
    return [*logs[:2], Log(POOL, (SYNC_TOPIC,), word(pool_in) + word(pool_out)), logs[2]]


@pytest.mark.parametrize(("bought", "loss"), [(136_578, ((USD, 26_192),)), (136_577, ())])
def test_a_victims_loss_is_what_it_would_have_bought_alone_where_that_is_exact(bought, loss):
    front = with_reserves(buys(100_000, 90_661), 1_100_000, 909_339)
    logs = swap(POOL, WETH, 195_000, USD, bought, recipient=address_of(ALICE))
    hurt = tx(with_reserves(logs, 1_295_000, 909_339 - bought))
    (found,) = sandwiches(own(front), hurt, own(sells(90_661, 130_000)))
    assert [victim.loss for victim in found.victims] == [loss]
