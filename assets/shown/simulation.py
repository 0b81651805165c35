"""What the simulation assets show."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import dagster as dg

from assets.plots import bars
from assets.tables import preview
from mev_dagster.evm.analytics import analyze, contended_slots
from mev_dagster.features.tx import TxFeatures
from mev_dagster.search.run import Prepared
from mev_dagster.units import GWEI

GAS_IS_WITHIN_LIMITS = "gas_is_within_limits"


def features(rows: Sequence[TxFeatures]) -> dict[str, Any]:
    """Return what the pending transactions ask for and offer."""
    methods = Counter(row.call.method for row in rows if row.call is not None)
    return {
        "dagster/row_count": len(rows),
        "router_swaps": methods.total(),
        "below_base_fee": sum(row.priority_fee_wei is None for row in rows),
        "with_nonce_gap": sum((row.nonce_gap or 0) > 0 for row in rows),
        "tips": bars(
            "priority fee, best first (gwei)",
            sorted(((row.priority_fee_wei or 0) / GWEI for row in rows), reverse=True),
        ),
        "methods": preview(
            ({"method": name, "count": count} for name, count in sorted(methods.items())),
            ("method", "count"),
        ),
    }


def executions(prepared: Prepared) -> dict[str, Any]:
    """Return what the pending calls did, and what it cost them."""
    results = [run.result for run in prepared.runs]
    by_gas = sorted(results, key=lambda tx: (-tx.gas_used, tx.tx_hash))
    outcomes = Counter(str(result.status) for result in results)
    return {
        "dagster/row_count": len(results),
        "gas_used": sum(result.gas_used for result in results),
        "pairs_known": len(prepared.discovery.pools),
        "pairs_moved": len({pair for run in prepared.runs for pair in run.moved}),
        **{f"status_{status}": count for status, count in sorted(outcomes.items())},
        "engine": prepared.engine,
        "contended": sum(bool(slots) for slots in contended_slots(results)),
        "gas_by_class": preview(
            ({"class": name, "gas": gas} for name, gas in analyze(results).gas_by_class.items()),
            ("class", "gas"),
        ),
        "gas": bars("gas used, most first", [tx.gas_used for tx in by_gas]),
        "most_gas": preview(
            (
                {"tx_hash": tx.tx_hash, "gas_used": tx.gas_used, "slots_read": len(tx.slots_read)}
                for tx in by_gas
            ),
            ("tx_hash", "gas_used", "slots_read"),
        ),
    }


def gas_within_limits(prepared: Prepared) -> dg.AssetCheckResult:
    """Say whether every transaction stayed within the gas it allows."""
    beyond = sum(run.result.gas_used > run.tx.gas_limit for run in prepared.runs)
    return dg.AssetCheckResult(
        check_name=GAS_IS_WITHIN_LIMITS,
        passed=not beyond,
        metadata={"transactions": len(prepared.runs), "beyond_their_limit": beyond},
    )
