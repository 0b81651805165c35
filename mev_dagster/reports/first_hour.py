"""Where the hours of a home start: the first one that may have a roll-up.

Dagster asks for fewer than 100,000 keys in a set, and every call that lists them costs by their number. So
the hours start with the shipped capture, the oldest thing every home may hold, and earlier only where this
home has stored something earlier; never so early that the set could outgrow what Dagster can show.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

FORM = "%Y-%m-%d-%H:%M"
DEFAULT = datetime(2026, 1, 1, tzinfo=UTC)
MOST_HOURS = 60_000
"""Seven years; forty thousand hours are left for the time to come before a reload."""

FILE = "first_hour"


def first_hour(home: Path, now: datetime) -> datetime:
    """Return the hour that the partitions of a home start with."""
    floor = _hour_of(now - timedelta(hours=MOST_HOURS))
    return max(floor, min(DEFAULT, _noted(home) or DEFAULT))


def note_hour(home: Path, moment: datetime) -> bool:
    """Remember that something of this time is stored; say whether the hours start earlier by it."""
    hour, noted = _hour_of(moment), _noted(home)
    if hour >= min(DEFAULT, noted or DEFAULT):
        return False
    home.mkdir(parents=True, exist_ok=True)
    draft = home / f"{FILE}.{os.getpid()}"
    draft.write_text(hour.strftime(FORM) + "\n")
    draft.replace(home / FILE)
    return True


def _noted(home: Path) -> datetime | None:
    """Return what was noted; a note that cannot be read is none, and the next one replaces it."""
    try:
        return datetime.strptime((home / FILE).read_text().strip(), FORM).replace(tzinfo=UTC)
    except (OSError, ValueError):
        return None


def _hour_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
