"""Search: ranked candidates of a block, each verified by executing it."""

import dagster as dg

from assets.links import links
from assets.per_block import RunOrder, block_asset
from assets.shown import search as shown
from assets.simulation import simulations
from mev_dagster.blockrun import steps
from mev_dagster.blockrun.run import BlockRun


@block_asset(
    "search",
    table="opportunities",
    team="search",
    order=RunOrder.TO_OPPORTUNITIES,
    deps=[simulations],
    checks=[
        dg.AssetCheckSpec(
            shown.PROFIT_IS_EXECUTED,
            asset="opportunities",
            blocking=True,
            description="Every candidate called verified was executed with a profit after gas.",
        ),
        dg.AssetCheckSpec(
            shown.ENGINE_AGREES,
            asset="opportunities",
            description="The best candidate and a sample of all executions came out the same on py_evm.",
        ),
    ],
)
def opportunities(block: BlockRun) -> dg.MaterializeResult:
    """Ranked sandwich, backrun and arbitrage candidates of the block, verified by execution."""
    found = steps.find_opportunities(block)
    return dg.MaterializeResult(
        metadata={**shown.opportunities(found), **links(block, block.trace_id)},
        check_results=[
            shown.profit_executed(found),
            shown.agreement(shown.ENGINE_AGREES, found.decision.candidates),
        ],
    )
