"""Ingest: what the daemon saw between two heads, decoded."""

import dagster as dg

from assets.per_block import RunOrder, block_asset
from assets.shown import ingest as shown
from mev_dagster.blockrun import steps
from mev_dagster.blockrun.run import BlockRun

OWNERS = ["team:ingest"]

mempool = dg.AssetSpec(
    "mempool",
    group_name="sources",
    kinds={"ethereum"},
    owners=OWNERS,
    description="Pending transactions as peers, a node or a capture announce them.",
)
chain_heads = dg.AssetSpec(
    "chain_heads",
    group_name="sources",
    kinds={"ethereum"},
    owners=OWNERS,
    description="New heads, reorgs included.",
)


@block_asset(
    "ingest",
    table="ingest_windows",
    team="ingest",
    order=RunOrder.TO_OPPORTUNITIES,
    deps=[mempool, chain_heads],
    checks=[
        dg.AssetCheckSpec(
            shown.NO_LANE_WAS_DOWN,
            asset="ingest_windows",
            description="No lane was disconnected while the window was open; its counts are whole.",
        )
    ],
)
def ingest_windows(block: BlockRun) -> dg.MaterializeResult:
    """The part of the event log that leads to this block: sightings, bodies, rejects and gaps.

    A function of the log alone. Where the store has lost rows of the window, they are written again.
    """
    rewritten = block.ensure_window()
    return dg.MaterializeResult(
        metadata=shown.window(block.window, rewritten), check_results=[shown.lanes_up(block.window)]
    )


@block_asset(
    "ingest",
    table="transactions",
    team="ingest",
    order=RunOrder.TO_OPPORTUNITIES,
    deps=[ingest_windows],
    checks=[
        dg.AssetCheckSpec(
            shown.DECODED_EQUALS_LOG,
            asset="decoded_txs",
            blocking=True,
            description="Every body of the window decodes to the row the store holds.",
        )
    ],
)
def decoded_txs(block: BlockRun) -> dg.MaterializeResult:
    """The window's transactions of every type, decoded from their raw bytes with recovered senders."""
    found = steps.compare_decoded(block)
    return dg.MaterializeResult(metadata=shown.decoded(found), check_results=[shown.decoded_as_logged(found)])


@block_asset("ingest", table="coverage", team="ingest", deps=[ingest_windows])
def source_coverage(block: BlockRun) -> dg.MaterializeResult:
    """Which lane saw what first, what only one saw, and which of the block's transactions nobody saw."""
    return dg.MaterializeResult(metadata=shown.coverage(steps.measure_coverage(block)))
