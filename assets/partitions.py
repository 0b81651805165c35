"""How the platform's data is cut: one key per block, and clock windows for the roll-ups."""

import dagster as dg

blocks = dg.DynamicPartitionsDefinition(name="blocks")
"""One key per block, its decimal number; added by the new-block sensor and by backfills."""

hours = dg.HourlyPartitionsDefinition(start_date="2015-07-30-00:00", end_offset=1)
"""Hourly windows, UTC; the hour under way has a partition too."""
