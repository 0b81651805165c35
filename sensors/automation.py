"""What follows by declaration: an hour's report page is written again whenever its hour is rolled up."""

import dagster as dg

from mev_dagster.blockrun.run_tags import COLD, LANE_TAG

EVERY_SECONDS = 60

reports_follow = dg.AutomationConditionSensorDefinition(
    "reports_follow",
    target=dg.AssetSelection.assets("hourly_report"),
    minimum_interval_seconds=EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    run_tags={LANE_TAG: COLD},
    description="Requests an hour's report when that hour has been rolled up again, by whatever did it.",
)
