"""What strangers write or leave out: it never becomes a profit, and what cannot be read says so."""

import json

import pytest
from label_blocks import (
    BOT,
    DAI,
    EVE,
    OTHER_POOL,
    POOL,
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
from mev_dagster.dex.erc20 import TRANSFER_TOPIC
from mev_dagster.errors import InputError
from mev_dagster.evm.block_files import read_document
from mev_dagster.labels.label import label_block
from mev_dagster.labels.sources import block_of_file

CIRCLE = [
    *swap(POOL, WETH, 10**6, USD, 500, payer=BOT),
    *swap(OTHER_POOL, USD, 500, WETH, 10**6 + 70_000, payer=BOT),
]


def arbitrages(logs):
    return label_block(block(tx(logs, key=EVE, to=BOT))).of("arbitrage")


def event(pool, token_in, amount_in, token_out, amount_out):
    """A pool's Swap event, and nothing that moved."""
    return swap(pool, token_in, amount_in, token_out, amount_out)[2:]


@pytest.mark.parametrize("at", [0, 3, 6])
@pytest.mark.parametrize("pool", [POOL, THIRD_POOL])
def test_an_event_forged_in_the_middle_of_an_arbitrage_changes_nothing_of_it(pool, at):
    """From a stranger with the pool's interface, or from the pool itself."""
    forged = event(pool, WETH, 1, USD, 10**24)
    (found,) = arbitrages([*CIRCLE[:at], *forged, *CIRCLE[at:]])
    assert (found.profit, set(found.venues)) == (((WETH, 70_000),), {POOL, OTHER_POOL})


def test_transfers_that_a_token_invents_are_worth_no_more_than_was_given_for_it():
    invented = [transfer(DAI, THIRD_POOL, BOT, 10**30), transfer(WETH, BOT, THIRD_POOL, 2)]
    lured = swap(THIRD_POOL, WETH, 2, DAI, 5)
    found = label_block(block(tx([*CIRCLE, *invented], key=EVE, to=BOT), tx(lured))).of("arbitrage")
    assert all(label.net_wei is None or label.net_wei <= 70_000 for label in found)


def test_a_transfer_log_of_another_shape_moved_nothing():
    short = Log(WETH, (TRANSFER_TOPIC, word(POOL), word(BOT)), word(10**24)[:31])
    of_a_collection = Log(WETH, (TRANSFER_TOPIC, word(POOL), word(BOT), word(10**24)), b"")
    (found,) = arbitrages([*CIRCLE, short, of_a_collection])
    assert found.profit == ((WETH, 70_000),)


def test_what_a_rebasing_token_added_by_itself_is_in_no_transfer_and_no_profit():
    grown = [
        *swap(POOL, WETH, 10**6, USD, 500, payer=BOT),
        *swap(OTHER_POOL, USD, 510, WETH, 10**6 + 70_000, payer=BOT),
    ]
    assert arbitrages(grown) == ()  # ten more were sold than bought: they came from somewhere


def test_a_token_that_keeps_a_tax_of_what_is_sent_gives_the_actor_only_what_arrived():
    taxed = [
        transfer(WETH, BOT, POOL, 10**6),
        transfer(USD, POOL, BOT, 450),
        transfer(USD, POOL, USD, 50),
        *event(POOL, WETH, 10**6, USD, 500),
        *swap(OTHER_POOL, USD, 450, WETH, 10**6 + 9, payer=BOT),
    ]
    (found,) = arbitrages(taxed)
    assert found.profit == ((WETH, 9),)


@pytest.mark.parametrize("missing", ["expected", "block", "pre_state"])
def test_a_block_file_without_a_part_names_itself(tmp_path, fixtures, missing):
    document = dict(read_document(fixtures / "blocks_prestate" / "46147.json.zst"))
    del document[missing]
    path = tmp_path / "46147.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"46147\.json"):
        block_of_file(path)


def test_receipts_of_fewer_transactions_than_the_block_has_are_refused(tmp_path, fixtures):
    document = json.loads(json.dumps(read_document(fixtures / "blocks_prestate" / "46147.json.zst")))
    document["expected"]["receipts"] = []
    path = tmp_path / "46147.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="0 receipts"):
        block_of_file(path)
