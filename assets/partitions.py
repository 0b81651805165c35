"""How the platform's data is cut: one key per block, and clock windows for the roll-ups."""

from datetime import UTC, datetime

import dagster as dg

from mev_dagster.errors import InputError
from mev_dagster.reports.first_hour import FORM, first_hour
from mev_dagster.settings import settings

blocks = dg.DynamicPartitionsDefinition(name="blocks")
"""One key per block, its decimal number; added by the new-block sensor and by backfills."""

hours = dg.HourlyPartitionsDefinition(
    start_date=first_hour(settings().home, datetime.now(UTC)).strftime(FORM), end_offset=1
)
"""Hourly windows, UTC, from the first that this home holds; the hour under way has a partition too."""

days = dg.DailyPartitionsDefinition(start_date="2015-07-30", end_offset=1)
"""Daily windows, UTC, from mainnet's first day; the day under way has a partition too."""

LARGEST_NUMBER = 2**63 - 1


def block_number(key: str) -> int:
    """Return the block a partition key means; anything but a plain decimal number is refused."""
    if not (key.isascii() and key.isdigit()) or key != str(int(key)) or int(key) > LARGEST_NUMBER:
        raise InputError(f"partition key {key!r}: expected a block number in decimal")
    return int(key)
