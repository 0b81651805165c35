"""Simulation: what each pending transaction asks for, and what it does on the parent's state."""

import dagster as dg

from assets.ingest import decoded_txs
from assets.per_block import RunOrder, block_asset
from assets.shown import simulation as shown
from mev_dagster.blockrun import steps
from mev_dagster.blockrun.run import BlockRun


@block_asset(
    "simulation", table="tx_features", team="simulation", order=RunOrder.TO_OPPORTUNITIES, deps=[decoded_txs]
)
def tx_features(block: BlockRun) -> dg.MaterializeResult:
    """What every pending transaction asks for and offers: router call, tip, nonce gap, age, sightings."""
    return dg.MaterializeResult(metadata=shown.features(steps.store_features(block)))


@block_asset(
    "simulation",
    table="simulations",
    team="simulation",
    order=RunOrder.TO_OPPORTUNITIES,
    deps=[tx_features],
    checks=[
        dg.AssetCheckSpec(
            shown.GAS_IS_WITHIN_LIMITS,
            asset="simulations",
            blocking=True,
            description="No transaction used more gas than it allows.",
        )
    ],
)
def simulations(block: BlockRun) -> dg.MaterializeResult:
    """Every pending call executed on the parent's state, behind its sender's earlier transactions."""
    found = steps.simulate_pending(block)
    return dg.MaterializeResult(
        metadata=shown.executions(found), check_results=[shown.gas_within_limits(found)]
    )
