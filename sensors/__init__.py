"""Dagster jobs, sensors and schedules: new blocks, backfills, retention."""

import dagster as dg

from sensors.jobs import backfill_blocks, nightly_retention, retain, search_block
from sensors.new_blocks import new_blocks

JOBS = [search_block, backfill_blocks, retain]
SENSORS = [new_blocks]
SCHEDULES: list[dg.ScheduleDefinition] = [nightly_retention]
