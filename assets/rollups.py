"""Roll-ups by the clock: coverage by hour, labels and backtests by day."""

from collections.abc import Callable
from typing import Any

import dagster as dg

from assets.ingest import source_coverage
from assets.labels import backtests, mev_labels
from assets.lineage import column_lineage
from assets.partitions import days, hours
from assets.plots import bars
from assets.tables import ether, preview, table_metadata
from mev_dagster.store.rollups import BACKTESTS_DAILY, COVERAGE_HOURLY, LABELS_DAILY, Rollup, roll_up
from resources.store import StoreResource

NS_PER_SECOND = 1_000_000_000


def rollup_asset(
    rollup: Rollup, of: dg.AssetsDefinition, partitions: dg.TimeWindowPartitionsDefinition
) -> Callable[..., dg.AssetsDefinition]:
    """Return the decorator of a roll-up of a per-block asset; any of its blocks may lie in a window."""
    return dg.asset(
        group_name="rollups",
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
        deps=[dg.AssetDep(of, partition_mapping=dg.AllPartitionMapping())],
        owners=["team:research"],
        kinds={"clickhouse"},
        metadata=table_metadata(rollup.table),
        code_version="1",
    )


def rolled_up(
    context: dg.AssetExecutionContext, store: StoreResource, rollup: Rollup, of: dg.AssetsDefinition
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Roll the run's window up; return its rows and the metadata that every roll-up shows."""
    window = context.partition_time_window
    start_ns, end_ns = (int(moment.timestamp()) * NS_PER_SECOND for moment in (window.start, window.end))
    rows = roll_up(store.client, rollup, start_ns, end_ns)
    lineage = column_lineage(rollup.table, [of])
    shared: dict[str, Any] = {
        "dagster/row_count": len(rows),
        "blocks": max((row["blocks"] for row in rows), default=0),
        "rows": preview(rows, rollup.columns),
    }
    return rows, shared | ({"dagster/column_lineage": lineage} if lineage else {})


@rollup_asset(COVERAGE_HOURLY, source_coverage, hours)
def coverage_hourly(context: dg.AssetExecutionContext, store: StoreResource) -> dg.MaterializeResult:
    """What each lane saw in the hour, first, alone, or not at all."""
    rows, metadata = rolled_up(context, store, COVERAGE_HOURLY, source_coverage)
    alone = [row for row in rows if not row["other"]]
    return dg.MaterializeResult(
        metadata={
            **metadata,
            "seen": sum(row["seen"] for row in alone),
            "never_seen": min((row["never_seen"] for row in alone), default=0),
            "seen_by_lane": bars("transactions seen, by lane", [row["seen"] for row in alone]),
        }
    )


@rollup_asset(LABELS_DAILY, mev_labels, days)
def labels_daily(context: dg.AssetExecutionContext, store: StoreResource) -> dg.MaterializeResult:
    """What landed in the day, by kind."""
    rows, metadata = rolled_up(context, store, LABELS_DAILY, mev_labels)
    return dg.MaterializeResult(
        metadata={
            **metadata,
            "labels": sum(row["labels"] for row in rows),
            "net_eth": ether(sum(row["net_wei"] for row in rows)),
            "net_by_kind": bars("net by kind (ETH)", [ether(row["net_wei"]) for row in rows]),
        }
    )


@rollup_asset(BACKTESTS_DAILY, backtests, days)
def backtests_daily(context: dg.AssetExecutionContext, store: StoreResource) -> dg.MaterializeResult:
    """The search against what landed, over the day."""
    rows, metadata = rolled_up(context, store, BACKTESTS_DAILY, backtests)
    whole = next((row for row in rows if row["kind"] == "all"), None)
    figures = {
        name: whole[name] for name in ("precision", "recall") if whole is not None and whole[name] is not None
    }
    return dg.MaterializeResult(
        metadata={
            **metadata,
            **figures,
            "pnl_eth": ether(whole["pnl_wei"]) if whole else 0.0,
            "hits": bars("landed and found, by kind", [row["true_positives"] for row in rows]),
        }
    )
