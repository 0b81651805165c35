"""Simulation: what each pending transaction asks for, and what it does on the parent's state."""

from collections import Counter

import dagster as dg

from assets.ingest import decoded_txs
from assets.per_block import RunOrder, block_asset
from assets.plots import bars
from assets.tables import preview
from mev_dagster.evm.analytics import analyze
from mev_dagster.features.rows import tx_feature_columns
from mev_dagster.search.rows import ALONE, simulation_columns
from mev_dagster.units import GWEI, NS_PER_SECOND
from resources.block_search import BlockSearch


@block_asset(
    "simulation", table="tx_features", team="simulation", order=RunOrder.TO_OPPORTUNITIES, deps=[decoded_txs]
)
def tx_features(block: BlockSearch) -> dg.MaterializeResult:
    """What every pending transaction asks for and offers: router call, tip, nonce gap, age, sightings."""
    features = block.features
    env = block.inputs.env
    columns = tx_feature_columns(env.number, env.timestamp * NS_PER_SECOND, features)
    block.replace("tx_features", {"block_number": env.number}, columns)
    methods = Counter(row.call.method for row in features if row.call is not None)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(features),
            "router_swaps": methods.total(),
            "below_base_fee": sum(row.priority_fee_wei is None for row in features),
            "with_nonce_gap": sum((row.nonce_gap or 0) > 0 for row in features),
            "tips": bars(
                "priority fee, best first (gwei)",
                sorted(((row.priority_fee_wei or 0) / GWEI for row in features), reverse=True),
            ),
            "methods": preview(
                ({"method": name, "count": count} for name, count in sorted(methods.items())),
                ("method", "count"),
            ),
        }
    )


@block_asset(
    "simulation",
    table="simulations",
    team="simulation",
    order=RunOrder.TO_OPPORTUNITIES,
    deps=[tx_features],
    checks=[
        dg.AssetCheckSpec(
            "gas_is_within_limits",
            asset="simulations",
            blocking=True,
            description="No transaction used more gas than it allows.",
        )
    ],
)
def simulations(block: BlockSearch) -> dg.MaterializeResult:
    """Every pending call executed on the parent's state, behind its sender's earlier transactions."""
    prepared = block.prepared
    where = {"block_number": prepared.env.number, "opportunity_id": ALONE}
    columns = simulation_columns(prepared.result())
    totals = analyze([run.result for run in prepared.runs]).gas_by_class
    block.replace("simulations", where, columns)
    by_gas = sorted((run.result for run in prepared.runs), key=lambda tx: (-tx.gas_used, tx.tx_hash))
    outcomes = Counter(str(run.result.status) for run in prepared.runs)
    beyond = sum(run.result.gas_used > run.tx.gas_limit for run in prepared.runs)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(prepared.runs),
            "gas_used": sum(run.result.gas_used for run in prepared.runs),
            "pairs_known": len(prepared.discovery.pools),
            "pairs_moved": len({pair for run in prepared.runs for pair in run.moved}),
            **{f"status_{status}": count for status, count in sorted(outcomes.items())},
            "engine": prepared.engine,
            "contended": sum(bool(slots) for slots in columns["contended_slots"]),
            "gas_by_class": preview(
                ({"class": name, "gas": gas} for name, gas in totals.items()), ("class", "gas")
            ),
            "gas": bars("gas used, most first", [tx.gas_used for tx in by_gas]),
            "most_gas": preview(
                (
                    {"tx_hash": tx.tx_hash, "gas_used": tx.gas_used, "slots_read": len(tx.slots_read)}
                    for tx in by_gas
                ),
                ("tx_hash", "gas_used", "slots_read"),
            ),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="gas_is_within_limits",
                passed=not beyond,
                metadata={"transactions": len(prepared.runs), "beyond_their_limit": beyond},
            )
        ],
    )
