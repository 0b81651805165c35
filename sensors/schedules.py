"""What the clock starts: roll-ups, sealing, retention. Each runs in the cold lane."""

from datetime import timedelta

import dagster as dg

from resources.lanes import COLD, LANE_TAG
from sensors.jobs import retain, roll_up_days, roll_up_hours, seal

COLD_TAGS = {LANE_TAG: COLD}
ON = dg.DefaultScheduleStatus.RUNNING


@dg.schedule(
    job=roll_up_hours, cron_schedule="5 * * * *", default_status=ON,
    description="Rolls up the hour that ended five minutes ago.",
)  # fmt: skip
def hourly_rollups(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Roll up the hour that ended five minutes ago."""
    return _window_before(context, "%Y-%m-%d-%H:%M", hours=1)


@dg.schedule(
    job=roll_up_days, cron_schedule="15 0 * * *", default_status=ON,
    description="Rolls up the day that ended a quarter of an hour ago.",
)  # fmt: skip
def daily_rollups(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Roll up the day that ended a quarter of an hour ago."""
    return _window_before(context, "%Y-%m-%d", hours=24)


def _window_before(context: dg.ScheduleEvaluationContext, form: str, *, hours: int) -> dg.RunRequest:
    start = context.scheduled_execution_time - timedelta(hours=hours)
    start = start.replace(minute=0, second=0, microsecond=0, hour=0 if hours == 24 else start.hour)
    key = start.strftime(form)
    return dg.RunRequest(run_key=key, partition_key=key, tags=COLD_TAGS)


hourly_sealing = dg.ScheduleDefinition(
    job=seal, cron_schedule="0 * * * *", default_status=ON, tags=COLD_TAGS,
    description="Seals the event log's open segment.",
)  # fmt: skip

nightly_retention = dg.ScheduleDefinition(
    job=retain, cron_schedule="20 3 * * *", default_status=ON, tags=COLD_TAGS,
    description="Cuts everything that grows back to what the settings keep.",
)  # fmt: skip
