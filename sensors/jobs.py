"""The jobs people and automation start."""

import dagster as dg

from assets import block_assets
from assets.partitions import blocks, days, hours

QUIET = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}
"""Every event is in Dagster's own event log; the console keeps what somebody should look at."""

search_block = dg.define_asset_job(
    "search_block",
    selection=block_assets(),
    partitions_def=blocks,
    executor_def=dg.in_process_executor,
    config=QUIET,
    description="Everything the platform does with one block, from its ingest window to the relay's answer.",
)

backfill_blocks = dg.define_asset_job(
    "backfill_blocks",
    selection=block_assets() - dg.AssetSelection.assets("relay_submissions"),
    partitions_def=blocks,
    executor_def=dg.in_process_executor,
    config=QUIET,
    description="The same for past blocks, without submitting anything; idempotent, beside the live lane.",
)

retain = dg.define_asset_job(
    "retain",
    selection=dg.AssetSelection.assets("retention"),
    executor_def=dg.in_process_executor,
    description="Drops what is older than its tier keeps.",
)

seal = dg.define_asset_job(
    "seal_log",
    selection=dg.AssetSelection.assets("event_log_segments"),
    executor_def=dg.in_process_executor,
    description="Seals the event log's open segment.",
)

roll_up_hours = dg.define_asset_job(
    "roll_up_hours",
    selection=dg.AssetSelection.assets("coverage_hourly"),
    partitions_def=hours,
    executor_def=dg.in_process_executor,
    description="Sums an hour's blocks up.",
)

roll_up_days = dg.define_asset_job(
    "roll_up_days",
    selection=dg.AssetSelection.assets("labels_daily", "backtests_daily"),
    partitions_def=days,
    executor_def=dg.in_process_executor,
    description="Sums a day's blocks up.",
)

write_reports = dg.define_asset_job(
    "write_reports",
    selection=dg.AssetSelection.assets("hourly_report"),
    partitions_def=hours,
    executor_def=dg.in_process_executor,
    description="Writes an hour's report page.",
)
