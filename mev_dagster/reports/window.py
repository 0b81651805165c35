"""The window of time a report is about: an hour or a day, UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mev_dagster.errors import InputError
from mev_dagster.units import NS_PER_SECOND

HOUR_FORM, DAY_FORM = "%Y-%m-%dT%H", "%Y-%m-%d"


@dataclass(frozen=True, slots=True)
class ReportWindow:
    """Nanoseconds `[start_ns, end_ns)` and the name that its page has."""

    name: str
    start_ns: int
    end_ns: int

    @classmethod
    def hour_of(cls, time_ns: int) -> "ReportWindow":
        """Return the hour that holds a time."""
        return cls.parse(_moment(time_ns).strftime(HOUR_FORM))

    @classmethod
    def day_of(cls, time_ns: int) -> "ReportWindow":
        """Return the day that holds a time."""
        return cls.parse(_moment(time_ns).strftime(DAY_FORM))

    @classmethod
    def parse(cls, text: str) -> "ReportWindow":
        """Read `2026-11-22T14` as an hour and `2026-11-22` as a day."""
        form, length = (
            (HOUR_FORM, timedelta(hours=1)) if "T" in text else (DAY_FORM, timedelta(days=1))
        )  # fmt: skip
        try:
            start = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError as error:
            raise InputError(
                f"window {text!r}: expected an hour such as 2026-11-22T14 or a day such as 2026-11-22"
            ) from error
        start_ns = int(start.timestamp()) * NS_PER_SECOND
        return cls(start.strftime(form), start_ns, start_ns + int(length.total_seconds()) * NS_PER_SECOND)


def _moment(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns // NS_PER_SECOND, UTC)
