"""What the assets of what landed show."""

from typing import Any

import dagster as dg

from assets.plots import bars
from assets.tables import ether, preview
from assets.verdicts import without_verdict
from mev_dagster.backtest.rows import backtest_columns
from mev_dagster.backtest.score import Backtest
from mev_dagster.chain.blocks import Block
from mev_dagster.labels.label import BlockLabels
from mev_dagster.labels.rows import mev_label_columns

LABELS_ARE_OF_THE_BLOCK = "labels_are_of_the_block"
EVERY_LANDED_ONE_IS_SCORED = "every_landed_one_is_scored"
COUNTS = ("true_positives", "false_positives", "false_negatives")


def labels(found: BlockLabels) -> dict[str, Any]:
    """Return the labels of a block and what they kept."""
    rows = _label_rows(found)
    return {
        "dagster/row_count": len(rows),
        "swaps": len(found.swaps),
        **found.counts(),
        "net": bars("net of each label (ETH)", [ether(row["net_wei"] or 0) for row in rows]),
        "labels": preview(rows, ("kind", "tx_hashes", "net_wei")),
    }


def labels_of_block(found: BlockLabels, block: Block) -> dg.AssetCheckResult:
    """Say whether every transaction a label names is in the block."""
    rows = _label_rows(found)
    if not rows:
        return without_verdict(LABELS_ARE_OF_THE_BLOCK, "nothing was labelled")
    foreign = {one for row in rows for one in row["tx_hashes"]} - {tx.hash for tx in block.transactions}
    return dg.AssetCheckResult(
        check_name=LABELS_ARE_OF_THE_BLOCK,
        passed=not foreign,
        metadata={"labels": len(rows), "foreign_transactions": len(foreign)},
    )


def _label_rows(found: BlockLabels) -> list[dict[str, Any]]:
    columns = mev_label_columns(found)
    names = ("kind", "tx_hashes", "net_wei")
    return [
        dict(zip(names, row, strict=True)) for row in zip(*(columns[name] for name in names), strict=True)
    ]


def backtest(result: Backtest) -> dict[str, Any]:
    """Return hits, misses and profit by kind."""
    columns = backtest_columns(result, source="block", first_block_time_ns=0)
    names = ("kind", *COUNTS)
    scores = [
        dict(zip(names, row, strict=True)) for row in zip(*(columns[name] for name in names), strict=True)
    ]
    share = result.captured_share
    return {
        "dagster/row_count": len(scores),
        **{name: sum(columns[name][:-1]) for name in COUNTS},
        "pnl_eth": ether(result.pnl_wei),
        "scores": preview(scores, names),
        "hits": bars("landed and found, by kind", columns["true_positives"]),
        **({} if share is None else {"captured_share": share}),
        "arrival_times": "synthetic" if result.synthetic else "observed",
    }


def every_landed_one_scored(result: Backtest) -> dg.AssetCheckResult:
    """Say whether hits and misses are as many as landed, and no more is captured than landed."""
    landed = sum(len(block.matches) for block in result.blocks)
    scored = sum(agreement.tp + agreement.fn for agreement in result.per_kind.values())
    return dg.AssetCheckResult(
        check_name=EVERY_LANDED_ONE_IS_SCORED,
        passed=scored == landed and result.captured_wei <= max(result.landed_wei, 0),
        metadata={"landed": landed, "scored": scored},
    )
