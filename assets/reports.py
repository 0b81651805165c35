"""Reports: a page for people of what an hour came to."""

from datetime import timedelta

import dagster as dg

from assets.labels import backtests
from assets.partitions import hours
from assets.pbs import relay_submissions
from assets.plots import bars
from assets.rollups import coverage_hourly, window_ns
from assets.search import opportunities
from assets.tables import ether, preview
from mev_dagster.blockrun.source_code import version_of
from mev_dagster.reports.figures import report_of
from mev_dagster.reports.links import page_url
from mev_dagster.reports.page import write_page
from mev_dagster.reports.window import ReportWindow
from mev_dagster.settings import settings
from mev_dagster.units import NS_PER_MS
from resources.store import StoreResource

FOLLOWS_THE_ROLL_UP = (
    dg.AutomationCondition.any_deps_updated().allow(dg.AssetSelection.assets("coverage_hourly"))
    & ~dg.AutomationCondition.in_progress()
).with_label("when its hour has been rolled up again")
"""A backfill of old hours, the schedule and a click alike roll an hour up; each time its page follows."""

SHOWN = ("block", "candidates", "verified", "landed", "found", "bid_eth", "accepted", "lag_ms", "run")


@dg.asset(
    group_name="reports",
    partitions_def=hours,
    backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
    deps=[
        coverage_hourly,
        *(
            dg.AssetDep(one, partition_mapping=dg.AllPartitionMapping())
            for one in (opportunities, relay_submissions, backtests)
        ),
    ],
    owners=["team:research"],
    kinds={"python", "html"},
    code_version=version_of("reports", "assets.reports"),
    automation_condition=FOLLOWS_THE_ROLL_UP,
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=2)),
    check_specs=[
        dg.AssetCheckSpec(
            "every_block_is_in_it",
            asset="hourly_report",
            partitions_def=hours,
            description="Every block of the hour that the daemon saw has been searched and is on the page.",
        )
    ],
)
def hourly_report(context: dg.AssetExecutionContext, store: StoreResource) -> dg.MaterializeResult:
    """A page of what the hour came to: candidates, landed MEV, bids, lag; each block leads to its run.

    The page lies under `MEV_HOME/reports` and the daemon hands it out; `mev report` writes the same one.
    """
    start_ns, _ = window_ns(context)
    config, report = settings(), report_of(store.client, ReportWindow.hour_of(start_ns))
    path, figures = write_page(config, report), report.figures()
    amounts = {"bid_eth": ether(figures.pop("bid_wei")), "best_eth": ether(figures.pop("best_wei"))}
    rows = [
        {
            "block": block.number,
            "candidates": block.candidates,
            "verified": block.verified,
            "landed": block.landed,
            "found": block.hits,
            "bid_eth": f"{ether(block.bid_wei):.6f}",
            "accepted": block.accepted,
            "lag_ms": block.lag_ns // NS_PER_MS,
            "run": block.run_id[:8],
        }
        for block in report.blocks
    ]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(report.blocks),
            **figures,
            **amounts,
            "page": dg.MetadataValue.url(page_url(config, report.window)),
            "path": dg.MetadataValue.path(path),
            "newest_blocks": preview(rows[::-1], SHOWN),
            "lag": bars(
                "head to opportunities, by block (ms)",
                [block.lag_ns / NS_PER_MS for block in report.blocks],
            ),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="every_block_is_in_it",
                passed=not report.missing,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"seen": report.windows, "missing": report.missing},
            )
        ],
    )
