"""Jobs, sensors and schedules: new blocks, gaps, failures, alerts; roll-ups, reports, sealing, retention."""

from sensors.ageing import ageing
from sensors.alerts import alerts
from sensors.automation import reports_follow
from sensors.failed_runs import failed_runs
from sensors.gaps import gaps
from sensors.jobs import (
    backfill_blocks,
    retain,
    roll_up_days,
    roll_up_hours,
    seal,
    search_block,
    write_reports,
)
from sensors.new_blocks import new_blocks
from sensors.resolved_alerts import resolved_alerts
from sensors.schedules import (
    daily_rollups,
    hourly_rollups,
    hourly_sealing,
    nightly_retention,
    reports_of_newest_hour,
)

JOBS = [search_block, backfill_blocks, roll_up_hours, roll_up_days, write_reports, seal, retain]
SENSORS = [new_blocks, gaps, failed_runs, alerts, resolved_alerts, ageing, reports_follow]
SCHEDULES = [hourly_rollups, daily_rollups, reports_of_newest_hour, hourly_sealing, nightly_retention]
