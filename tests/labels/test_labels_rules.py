"""What is a swap, an arbitrage, a sandwich, a liquidation, JIT liquidity, and which of them wins."""

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
    THIRD_POOL,
    USD,
    WETH,
    block,
    position,
    swap,
    transfer,
    tx,
    word,
)

from mev_dagster.chain.receipts import Log
from mev_dagster.chain.signing import address_of
from mev_dagster.dex.venues.aave.events import LIQUIDATION_TOPIC as AAVE_TOPIC
from mev_dagster.dex.venues.compound.events import LIQUIDATE_TOPIC as COMPOUND_TOPIC
from mev_dagster.labels.inspectors.jit import BURN_TOPIC, MINT_TOPIC
from mev_dagster.labels.label import label_block
from mev_dagster.labels.rows import mev_label_columns
from mev_dagster.store.tables import TABLES

FRONT = swap(POOL, WETH, 1_000_000, USD, 900)
VICTIM = swap(POOL, WETH, 5_000_000, USD, 4_000, recipient=address_of(ALICE))
BACK = swap(POOL, USD, 900, WETH, 1_050_000, payer=BOT)
SANDWICH = (
    tx(FRONT, key=EVE, to=BOT, paid=500),
    tx(VICTIM),
    tx(BACK, key=EVE, to=BOT, paid=700),
)


# -- swaps


def test_the_tokens_of_a_swap_are_those_the_pool_took_and_gave():
    (found,) = label_block(block(tx(swap(POOL, USD, 7, WETH, 9)))).swaps
    assert (found.token_in, found.amount_in, found.token_out, found.amount_out) == (USD, 7, WETH, 9)


def test_a_third_token_moving_through_the_pool_is_told_apart_by_amount():
    logs = [transfer(DAI, ROUTER, POOL, 1), *swap(POOL, WETH, 7, USD, 9)]
    (found,) = label_block(block(tx(logs))).swaps
    assert (found.token_in, found.token_out) == (WETH, USD)


def test_a_swap_without_transfers_is_no_swap():
    assert label_block(block(tx(swap(POOL, USD, 7, WETH, 9)[2:]))).swaps == ()


# -- arbitrages


def cycle(**kwargs):
    return [
        *swap(POOL, WETH, 100_000, USD, 50, recipient=OTHER_POOL, **kwargs),
        *swap(OTHER_POOL, USD, 50, WETH, 130_000, payer=POOL, **kwargs),
    ]


def test_a_cycle_that_returns_more_is_an_arbitrage_net_of_gas_and_payment():
    (found,) = label_block(block(tx(cycle(), key=EVE, to=BOT, paid=10_000))).of("arbitrage")
    assert found.profit == ((WETH, 30_000),)
    assert found.net_wei == 30_000 - GAS_COST_WEI - 10_000
    assert (found.beneficiary, found.behind) == (BOT, None)


def test_a_flash_swap_logged_last_is_the_same_arbitrage():
    logs = cycle()
    (found,) = label_block(block(tx([*logs[3:], *logs[:3]]))).of("arbitrage")
    assert found.profit == ((WETH, 30_000),)


def test_three_pools_of_both_protocols_make_a_cycle():
    logs = [
        *swap(POOL, WETH, 100, USD, 50),
        *swap(OTHER_POOL, USD, 50, DAI, 60, v3=True),
        *swap(THIRD_POOL, DAI, 60, WETH, 101),
    ]
    (found,) = label_block(block(tx(logs))).of("arbitrage")
    assert (len(found.venues), found.profit) == (3, ((WETH, 1),))


def test_a_round_trip_at_a_loss_is_no_arbitrage():
    logs = [*swap(POOL, WETH, 100, USD, 50), *swap(OTHER_POOL, USD, 50, WETH, 99)]
    assert label_block(block(tx(logs))).of("arbitrage") == ()


def test_a_cycle_that_had_to_be_topped_up_is_no_arbitrage():
    logs = [*swap(POOL, WETH, 100, USD, 50), *swap(OTHER_POOL, USD, 51, WETH, 103)]
    assert label_block(block(tx(logs))).of("arbitrage") == ()


def test_what_a_taxed_token_loses_between_two_pools_is_no_profit():
    logs = [
        *swap(POOL, WETH, 100, USD, 50, recipient=OTHER_POOL),
        *swap(OTHER_POOL, USD, 48, WETH, 120, payer=POOL),
    ]
    (found,) = label_block(block(tx(logs))).of("arbitrage")
    assert found.profit == ((WETH, 20),)


def test_two_swaps_of_different_transactions_make_no_cycle():
    logs = cycle()
    assert label_block(block(tx(logs[:3]), tx(logs[3:]))).of("arbitrage") == ()


def test_an_arbitrage_behind_a_swap_through_its_pool_names_it():
    moving = tx(swap(POOL, USD, 500, WETH, 900_000))
    labels = label_block(block(moving, tx(cycle(), key=EVE, to=BOT)))
    assert labels.of("arbitrage")[0].behind == labels.block.txs[0].tx.hash


def test_a_profit_in_another_token_is_not_priced():
    logs = [*swap(POOL, USD, 100, DAI, 50), *swap(OTHER_POOL, DAI, 50, USD, 101)]
    (found,) = label_block(block(tx(logs))).of("arbitrage")
    assert (found.profit, found.net_wei) == (((USD, 1),), None)


# -- sandwiches


def test_buying_before_and_selling_after_somebody_is_a_sandwich():
    (found,) = label_block(block(*SANDWICH)).of("sandwich")
    assert [
        swap.tx_index for swap in (found.detail.frontrun, *found.detail.victims, found.detail.backrun)
    ] == [0, 1, 2]
    assert (found.beneficiary, found.profit) == (BOT, ((WETH, 50_000),))
    assert found.net_wei == 50_000 - 2 * GAS_COST_WEI - 500 - 700


def test_two_accounts_of_one_contract_are_one_attacker():
    front, victim, _ = SANDWICH
    labels = label_block(block(front, victim, tx(BACK, key=MALLORY, to=BOT)))
    assert len(labels.of("sandwich")) == 1


def test_two_users_of_one_router_are_two_people():
    front = tx(swap(POOL, WETH, 1_000_000, USD, 900, recipient=address_of(EVE)), key=EVE)
    back = tx(swap(POOL, USD, 900, WETH, 1_050_000, recipient=address_of(MALLORY)), key=MALLORY)
    assert label_block(block(front, tx(VICTIM), back)).of("sandwich") == ()


def test_without_anybody_between_there_is_no_sandwich():
    front, _, back = SANDWICH
    other_way = tx(swap(POOL, USD, 9, WETH, 9_000))
    assert label_block(block(front, back)).of("sandwich") == ()
    assert label_block(block(front, other_way, back)).of("sandwich") == ()


def test_selling_a_small_part_does_not_close_a_sandwich():
    front, victim, _ = SANDWICH
    part = tx(swap(POOL, USD, 449, WETH, 600_000, payer=BOT), key=EVE, to=BOT)
    assert label_block(block(front, victim, part)).of("sandwich") == ()


def test_every_swap_in_between_and_in_the_same_direction_is_a_victim():
    front, victim, back = SANDWICH
    other_way = tx(swap(POOL, USD, 9, WETH, 9_000))
    (found,) = label_block(block(front, victim, other_way, victim, back)).of("sandwich")
    assert [swap.tx_index for swap in found.detail.victims] == [1, 3]


# -- precedence


def test_a_backrun_that_closes_a_cycle_stays_a_sandwich():
    front, victim, _ = SANDWICH
    back = [*BACK, *swap(OTHER_POOL, WETH, 40_000, DAI, 9), *swap(THIRD_POOL, DAI, 9, WETH, 41_000)]
    labels = label_block(block(front, victim, tx(back, key=EVE, to=BOT)))
    assert (len(labels.of("sandwich")), labels.of("arbitrage")) == (1, ())
    assert labels.kinds_of(labels.block.txs[2].tx.hash) == ("sandwich",)


# -- liquidations and JIT liquidity


def test_aave_and_compound_liquidations_are_read():
    aave = Log(
        POOL,
        (AAVE_TOPIC, word(WETH), word(USD), word(b"\x05" * 20)),
        b"".join(word(value) for value in (70, 80, BOT, 0)),
    )
    compound = Log(USD, (COMPOUND_TOPIC,), b"".join(word(value) for value in (BOT, b"\x06" * 20, 7, WETH, 8)))
    labels = label_block(block(tx([aave], to=BOT), tx([compound], to=BOT))).of("liquidation")
    first, second = (label.detail for label in labels)
    assert (first.protocol, first.debt_token, first.debt_repaid) == ("aave", USD, 70)
    assert (first.collateral_token, first.collateral_seized, first.liquidator) == (WETH, 80, BOT)
    assert (second.protocol, second.borrower, second.debt_repaid) == ("compound_v2", b"\x06" * 20, 7)
    assert (second.collateral_token, second.collateral_seized) == (WETH, 8)


def test_liquidity_minted_before_a_swap_and_burned_after_it_is_jit():
    mint, burn = (tx(position(topic, 50), key=EVE, to=BOT) for topic in (MINT_TOPIC, BURN_TOPIC))
    victim = tx(swap(POOL, WETH, 5, USD, 4, v3=True))
    (found,) = label_block(block(mint, victim, burn)).of("jit")
    assert (found.beneficiary, found.detail.liquidity, [swap.tx_index for swap in found.detail.victims]) == (
        BOT,
        50,
        [1],
    )
    assert label_block(block(mint, burn, victim)).of("jit") == ()


def test_burning_another_position_is_not_jit():
    mint = tx(position(MINT_TOPIC, 50), key=EVE, to=BOT)
    burn = tx(position(BURN_TOPIC, 50, upper_tick=120), key=EVE, to=BOT)
    assert label_block(block(mint, tx(swap(POOL, WETH, 5, USD, 4, v3=True)), burn)).of("jit") == ()


def test_the_columns_are_those_of_the_table():
    columns = mev_label_columns(label_block(block(*SANDWICH, tx(cycle(), key=MALLORY, to=BOT))))
    table = TABLES["mev_labels"]
    assert {column.name for column in table.columns if column.required} <= set(columns) <= set(table.names)
    assert {len(table[name].type.encode(values, name)) for name, values in columns.items()} == {2}
    assert columns["kind"] == ["sandwich", "arbitrage"]
    assert columns["coinbase_payment_wei"] == [1_200, 0]
