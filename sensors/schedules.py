"""What the clock starts: roll-ups, which reports follow, sealing, retention. Each runs in the cold lane."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from assets.partitions import hours
from mev_dagster.blockrun.run_tags import COLD, LANE_TAG
from mev_dagster.errors import MevError
from mev_dagster.reports.figures import newest_hour
from mev_dagster.reports.first_hour import FORM, note_hour
from mev_dagster.settings import settings
from mev_dagster.units import NS_PER_SECOND
from resources.store import service_store
from sensors.jobs import retain, roll_up_days, roll_up_hours, seal

COLD_TAGS = {LANE_TAG: COLD}
ON = dg.DefaultScheduleStatus.RUNNING


@dg.schedule(
    job=roll_up_hours, cron_schedule="5 * * * *", default_status=ON,
    description="Rolls up the hour that ended five minutes ago.",
)  # fmt: skip
def hourly_rollups(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Roll up the hour that ended five minutes ago."""
    return _window_before(context, FORM, hours=1)


@dg.schedule(
    job=roll_up_days, cron_schedule="15 0 * * *", default_status=ON,
    description="Rolls up the day that ended a quarter of an hour ago.",
)  # fmt: skip
def daily_rollups(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Roll up the day that ended a quarter of an hour ago."""
    return _window_before(context, "%Y-%m-%d", hours=24)


@dg.schedule(
    job=roll_up_hours, cron_schedule="*/10 * * * *", default_status=ON,
    description="Rolls up the hour of the newest block while blocks arrive; its report page follows.",
)  # fmt: skip
def reports_of_newest_hour(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Roll up the newest block's hour where blocks came in since; a capture's blocks have an old hour."""
    try:
        with service_store() as store:
            newest = newest_hour(store)
    except MevError as error:
        return dg.SkipReason(f"the store does not answer: {error}")
    if newest is None:
        return dg.SkipReason("no block has been searched yet")
    if newest.rolled_up:
        return dg.SkipReason(
            f"hour {newest.window.name} holds block {newest.last_block}, the newest, already"
        )
    hour = datetime.fromtimestamp(newest.window.start_ns // NS_PER_SECOND, UTC)
    key = hour.strftime(FORM)
    if not hours.has_partition_key(key):
        note_hour(settings().home, hour)
        return dg.SkipReason(
            f"hour {key} lies before the first partition: reload the definitions, or `mev report`"
        )
    return dg.RunRequest(run_key=f"{key}:{newest.searched_ns}", partition_key=key, tags=COLD_TAGS)


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
