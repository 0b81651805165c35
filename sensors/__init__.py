"""Dagster sensors and schedules: new blocks, gaps, failures, alerts."""

import dagster as dg

from sensors.new_blocks import new_blocks, search_block

JOBS = [search_block]
SENSORS = [new_blocks]
SCHEDULES: list[dg.ScheduleDefinition] = []
