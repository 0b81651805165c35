"""The evidence for a label: what moved, who holds more, and why."""

from io import StringIO

from label_blocks import BOT, EVE, OTHER_POOL, POOL, USD, WETH, block, swap, tx
from rich.console import Console

from mev_dagster.labels.explain import explain, print_explained
from mev_dagster.labels.label import label_block

LABELS = label_block(
    block(
        tx(
            [
                *swap(POOL, WETH, 100, USD, 50, payer=BOT),
                *swap(OTHER_POOL, USD, 50, WETH, 130, payer=BOT),
            ],
            key=EVE,
            to=BOT,
        )
    )
)
TX = LABELS.block.txs[0].tx.hash


def test_the_evidence_is_what_moved_and_who_holds_more():
    found = explain(LABELS, TX)
    assert [one["amount"] for one in found["movements"]] == [100, 50, 50, 130]
    assert {(one["holder"], one["token"]): one["amount"] for one in found["flows"]} == {
        (BOT, WETH): 30,
        (POOL, WETH): 100,
        (POOL, USD): -50,
        (OTHER_POOL, WETH): -130,
        (OTHER_POOL, USD): 50,
    }
    assert found["labels"] == ["arbitrage"]
    assert explain(LABELS, bytes(32)) is None


def test_the_tree_has_every_amount_and_the_reason():
    console = Console(file=StringIO(), width=200)
    print_explained(console, LABELS, TX)
    drawn = console.file.getvalue()
    for said in ("arbitrage (high): value went around 2 pools", "130 wei → ", "+30 wei", "(called)"):
        assert said in drawn
