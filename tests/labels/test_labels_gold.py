"""Asserted facts, held against labels."""

import json

import pytest
from label_blocks import BOT, EVE, OTHER_POOL, POOL, USD, WETH, block, swap, tx

from mev_dagster.errors import InputError
from mev_dagster.labels.decided import DecidedReason, Decisions
from mev_dagster.labels.gold import Gold, holds, judge, read_gold
from mev_dagster.labels.label import label_block

CYCLE = [*swap(POOL, WETH, 100, USD, 50), *swap(OTHER_POOL, USD, 50, WETH, 130)]


@pytest.fixture
def labels():
    return label_block(block(tx(CYCLE, key=EVE, to=BOT)))


def about(labels, **fields):
    return {"transaction_hash": "0x" + labels.block.txs[0].tx.hash.hex(), **fields}


def test_a_swap_holds_with_its_amounts(labels):
    assert holds(about(labels, kind="swap", token_in_amount=100, token_out_amount=50), labels)
    assert not holds(about(labels, kind="swap", token_in_amount=100, token_out_amount=51), labels)


def test_an_arbitrage_holds_with_its_profit(labels):
    profit = {"profit_token_address": "0x" + WETH.hex(), "profit_amount": 30}
    assert holds(about(labels, kind="arbitrage", **profit), labels)
    assert not holds(about(labels, kind="arbitrage", **{**profit, "profit_amount": 31}), labels)
    assert not holds(about(labels, kind="arbitrage", error="Reverted"), labels)
    assert holds(about(labels, kind="arbitrage", gross_wei=30), labels)
    assert not holds(about(labels, kind="arbitrage", gross_wei=31), labels)


def test_counts_and_liquidations_are_held_too(labels):
    assert holds({"kind": "counts", "swaps": 2, "arbitrages": 1}, labels)
    assert not holds(about(labels, kind="liquidation", liquidated_user="0x" + BOT.hex()), labels)


def test_counts_are_held_without_what_is_decided_to_be_ours_alone(labels):
    tx_hash = "0x" + labels.block.txs[0].tx.hash.hex()
    alone = Decisions(
        {"circle": DecidedReason("ours", "it went around")},
        {(17, "arbitrages", "ours", (tx_hash,)): "circle"},
    )
    assert holds({"kind": "counts", "arbitrages": 0}, labels, alone)
    assert not holds({"kind": "counts", "arbitrages": 1}, labels, alone)


def test_only_facts_about_the_labelled_blocks_are_judged(labels):
    facts = [(17, {"kind": "counts", "swaps": 2, "arbitrages": 1}), (18, {"kind": "counts"})]
    assert judge([labels], facts) == Gold(expected=1, found=1)


def test_the_facts_of_the_fixtures_are_read(fixtures):
    assert len(read_gold(fixtures / "labels")) == 16


def test_a_broken_file_of_facts_is_named(tmp_path):
    (tmp_path / "some_gold.json").write_text(json.dumps([{"block_number": 1}]))
    with pytest.raises(InputError, match=r"some_gold\.json"):
        read_gold(tmp_path)
    assert read_gold(tmp_path / "nowhere") == []
