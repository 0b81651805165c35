"""Ex post: the MEV that really landed in the block, and how the search did against it."""

import dagster as dg

from assets.links import links
from assets.pbs import relay_submissions
from assets.per_block import block_asset
from assets.search import opportunities
from assets.shown import labels as shown
from mev_dagster.blockrun import steps
from mev_dagster.blockrun.run import BlockRun

OWNERS = ["team:research"]

landed_blocks = dg.AssetSpec(
    "landed_blocks",
    group_name="sources",
    kinds={"ethereum"},
    owners=OWNERS,
    description="The blocks that won their slots, with receipts.",
)


@block_asset(
    "labels",
    table="mev_labels",
    team="research",
    deps=[landed_blocks],
    checks=[
        dg.AssetCheckSpec(
            shown.LABELS_ARE_OF_THE_BLOCK,
            asset="mev_labels",
            blocking=True,
            description="Every transaction that a label names is in the block.",
        )
    ],
)
def mev_labels(block: BlockRun) -> dg.MaterializeResult:
    """Arbitrages, sandwiches, liquidations and JIT liquidity that landed, net of what they paid."""
    labels = steps.store_labels(block)
    return dg.MaterializeResult(
        metadata={**shown.labels(labels), **links(block)},
        check_results=[shown.labels_of_block(labels, block.block)],
    )


@block_asset(
    "labels",
    table="backtests",
    team="research",
    deps=[opportunities, mev_labels, relay_submissions],
    checks=[
        dg.AssetCheckSpec(
            shown.EVERY_LANDED_ONE_IS_SCORED,
            asset="backtests",
            description="Hits and misses are as many as landed, and no more is captured than landed.",
        )
    ],
)
def backtests(block: BlockRun) -> dg.MaterializeResult:
    """What the search found before the block against what landed in it: hits, misses, profit."""
    result = steps.store_score(block)
    return dg.MaterializeResult(
        metadata={**shown.backtest(result), **links(block, block.trace_id)},
        check_results=[shown.every_landed_one_scored(result)],
    )
