"""Roll-ups by the clock: coverage by hour, labels and backtests by day."""

import inspect
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import dagster as dg

from assets import soundness
from assets.code_versions import code_version
from assets.ingest import source_coverage
from assets.labels import backtests, mev_labels
from assets.lineage import column_lineage
from assets.partitions import days, hours
from assets.plots import bars
from assets.tables import ether, preview, table_metadata
from assets.verdicts import by_partition, reported
from mev_dagster.store.rollups import BACKTESTS_DAILY, LABELS_DAILY, Rollup, roll_up
from mev_dagster.units import NS_PER_SECOND
from mev_dagster.windows.coverage import hourly_columns, measure
from resources.store import StoreResource

Body = Callable[[dg.AssetExecutionContext, StoreResource], dg.MaterializeResult[Any]]

FRESH_FOR = {"hour": timedelta(hours=2), "day": timedelta(hours=26)}
"""A window's length, and the time its roll-up may take to begin."""


def rollup_asset(
    table: str, window_column: str, of: dg.AssetsDefinition, partitions: dg.TimeWindowPartitionsDefinition
) -> Callable[[Body], dg.AssetsDefinition]:
    """Return the decorator of a roll-up of a per-block asset; any of its blocks may lie in a window."""

    def decorate(body: Body) -> dg.AssetsDefinition:
        lineage = column_lineage(table, [of])
        shared = {"dagster/column_lineage": lineage} if lineage else {}

        def run(context: dg.AssetExecutionContext, store: StoreResource) -> Iterator[Any]:
            result = body(context, store)
            start_ns, _ = window_ns(context)
            sound = soundness.verdict(store.client, table, {window_column: start_ns}, {})
            yield from reported(context, result._replace(check_results=[sound]), shared)

        return dg.asset(
            name=body.__name__,
            description=inspect.getdoc(body),
            group_name="rollups",
            partitions_def=partitions,
            backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
            deps=[dg.AssetDep(of, partition_mapping=dg.AllPartitionMapping())],
            owners=["team:research"],
            kinds={"python", "clickhouse"},
            metadata=table_metadata(table),
            code_version=code_version(table),
            check_specs=by_partition(partitions, soundness.spec(body.__name__, table)),
            freshness_policy=dg.FreshnessPolicy.time_window(fail_window=FRESH_FOR[window_column]),
        )(run)

    return decorate


def window_ns(context: dg.AssetExecutionContext) -> tuple[int, int]:
    """Return the run's window `[start, end)` in nanoseconds."""
    window = context.partition_time_window
    start, end = (int(moment.timestamp()) * NS_PER_SECOND for moment in (window.start, window.end))
    return start, end


def rolled_up(
    context: dg.AssetExecutionContext, store: StoreResource, rollup: Rollup
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Roll the run's window up; return its rows and the metadata that every roll-up shows."""
    rows = roll_up(store.client, rollup, *window_ns(context))
    return rows, {
        "dagster/row_count": len(rows),
        "blocks": max((row["blocks"] for row in rows), default=0),
        "rows": preview(rows, rollup.columns),
    }


@rollup_asset("coverage_hourly", "hour", source_coverage, hours)
def coverage_hourly(context: dg.AssetExecutionContext, store: StoreResource) -> dg.MaterializeResult:
    """What each lane saw in the hour, first, alone, or not at all.

    Measured over the hour, not summed up from its blocks: what arrived before one block and landed in the
    next was seen, and the median of an hour is no mean of medians.
    """
    start_ns, end_ns = window_ns(context)
    found = measure(store.client, closed_from_ns=start_ns, closed_before_ns=end_ns)
    columns = hourly_columns(found) if found else {}
    store.client.replace("coverage_hourly", {"hour": start_ns}, columns)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    lanes = found.lanes if found else ()
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(rows),
            "blocks": found.blocks if found else 0,
            "rows": preview(rows, tuple(columns)),
            "seen": found.together.seen if found else 0,
            "seen_before_slot": found.together.before_slot if found else 0,
            "never_seen": found.together.never_seen if found else 0,
            "seen_by_lane": bars("transactions seen, by lane", [one.seen for one in lanes]),
        }
    )


@rollup_asset(LABELS_DAILY.table, "day", mev_labels, days)
def labels_daily(context: dg.AssetExecutionContext, store: StoreResource) -> dg.MaterializeResult:
    """What landed in the day, by kind."""
    rows, metadata = rolled_up(context, store, LABELS_DAILY)
    return dg.MaterializeResult(
        metadata={
            **metadata,
            "labels": sum(row["labels"] for row in rows),
            "net_eth": ether(sum(row["net_wei"] for row in rows)),
            "net_by_kind": bars("net by kind (ETH)", [ether(row["net_wei"]) for row in rows]),
        }
    )


@rollup_asset(BACKTESTS_DAILY.table, "day", backtests, days)
def backtests_daily(context: dg.AssetExecutionContext, store: StoreResource) -> dg.MaterializeResult:
    """The search against what landed, over the day."""
    rows, metadata = rolled_up(context, store, BACKTESTS_DAILY)
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
