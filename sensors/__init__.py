"""Dagster jobs, sensors and schedules: new blocks, gaps, failures, alerts; roll-ups, sealing, retention."""

from sensors.alerts import alerts
from sensors.failed_runs import failed_runs
from sensors.gaps import gaps
from sensors.jobs import backfill_blocks, retain, roll_up_days, roll_up_hours, seal, search_block
from sensors.new_blocks import new_blocks
from sensors.schedules import daily_rollups, hourly_rollups, hourly_sealing, nightly_retention

JOBS = [search_block, backfill_blocks, roll_up_hours, roll_up_days, seal, retain]
SENSORS = [new_blocks, gaps, failed_runs, alerts]
SCHEDULES = [hourly_rollups, daily_rollups, hourly_sealing, nightly_retention]
