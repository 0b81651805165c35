"""Ex post: the MEV that really landed in the block, and how the search did against it."""

import dagster as dg

from assets.links import links
from assets.pbs import relay_submissions
from assets.per_block import block_asset
from assets.plots import bars
from assets.search import opportunities
from assets.tables import ether, preview
from mev_dagster.backtest.rows import backtest_columns
from mev_dagster.backtest.score import Backtest, score_block
from mev_dagster.labels.label import BlockLabels, label_block
from mev_dagster.labels.landed import landed_block, wrapped_ether_in
from mev_dagster.labels.rows import mev_label_columns
from mev_dagster.units import NS_PER_SECOND
from resources.block_search import BlockSearch

OWNERS = ["team:research"]

landed_blocks = dg.AssetSpec(
    "landed_blocks",
    group_name="sources",
    kinds={"ethereum"},
    owners=OWNERS,
    description="The blocks that won their slots, with receipts.",
)


def labels_of(block: BlockSearch) -> BlockLabels:
    """Label what landed in the block."""
    return label_block(landed_block(block.block, block.receipts, wrapped_ether_in(block.inputs.prestate)))


@block_asset(
    "labels",
    table="mev_labels",
    team="research",
    deps=[landed_blocks],
    checks=[
        dg.AssetCheckSpec(
            "labels_are_of_the_block",
            asset="mev_labels",
            blocking=True,
            description="Every transaction that a label names is in the block.",
        )
    ],
)
def mev_labels(block: BlockSearch) -> dg.MaterializeResult:
    """Swaps, arbitrages, sandwiches, liquidations and JIT liquidity that landed, from receipts alone."""
    labels = labels_of(block)
    columns = mev_label_columns(labels)
    block.replace("mev_labels", {"block_number": block.number}, columns)
    rows = [
        {"kind": kind, "tx_hashes": hashes, "net_wei": net}
        for kind, hashes, net in zip(columns["kind"], columns["tx_hashes"], columns["net_wei"], strict=True)
    ]
    landed = {tx.hash for tx in block.block.transactions}
    foreign = {hash_ for row in rows for hash_ in row["tx_hashes"]} - landed
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(rows),
            "swaps": len(labels.swaps),
            "arbitrages": len(labels.arbitrages),
            "sandwiches": len(labels.sandwiches),
            "liquidations": len(labels.liquidations),
            **links(block, traced=False),
            "net": bars("net of each label (ETH)", [ether(row["net_wei"] or 0) for row in rows]),
            "labels": preview(rows, ("kind", "tx_hashes", "net_wei")),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="labels_are_of_the_block",
                passed=not foreign,
                metadata={"labels": len(rows), "foreign_transactions": len(foreign)},
            )
        ],
    )


@block_asset(
    "labels",
    table="backtests",
    team="research",
    deps=[opportunities, mev_labels, relay_submissions],
    checks=[
        dg.AssetCheckSpec(
            "every_landed_one_is_scored",
            asset="backtests",
            description="Hits and misses are as many as landed, and no more is captured than landed.",
        )
    ],
)
def backtests(block: BlockSearch) -> dg.MaterializeResult:
    """What the search found before the block against what landed in it: hits, misses, profit."""
    score = score_block(block.result, labels_of(block))
    synthetic = any(entry.synthetic for entry in block.inputs.pending)
    result = Backtest((score,), synthetic)
    time_ns = block.inputs.env.timestamp * NS_PER_SECOND
    columns = backtest_columns(result, source="block", first_block_time_ns=time_ns)
    where = {"first_block_number": block.number, "last_block_number": block.number, "source": "block"}
    block.replace("backtests", where, columns)
    share = result.captured_share
    names = ("kind", "true_positives", "false_positives", "false_negatives")
    scores = [
        dict(zip(names, row, strict=True)) for row in zip(*(columns[name] for name in names), strict=True)
    ]
    scored = columns["true_positives"][-1] + columns["false_negatives"][-1]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(columns["kind"]),
            "true_positives": sum(columns["true_positives"][:-1]),
            "false_positives": sum(columns["false_positives"][:-1]),
            "false_negatives": sum(columns["false_negatives"][:-1]),
            "pnl_eth": ether(result.pnl_wei),
            **links(block),
            "scores": preview(scores, names),
            "hits": bars("landed and found, by kind", columns["true_positives"]),
            **({} if share is None else {"captured_share": share}),
            "arrival_times": "synthetic" if synthetic else "observed",
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="every_landed_one_is_scored",
                passed=scored == len(score.matches) and result.captured_wei <= max(result.landed_wei, 0),
                metadata={"landed": len(score.matches), "scored": scored},
            )
        ],
    )
