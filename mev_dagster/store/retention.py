"""Let old rows go, by tier; a dry run says what would go and changes nothing.

A row's age is the time since it was stored, not the time of its block: a capture of 2016 imported today is
as young as today, and a pruned day that is imported again stays. ClickHouse's own TTL does the same in the
background; this does it now and says how much. `before` prunes by the day of the data instead.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from mev_dagster.store.client import Store
from mev_dagster.store.migrate import retention_days
from mev_dagster.store.sql import literal, quoted, time_literal
from mev_dagster.store.tables import TABLES, VERSION_COLUMN, Table
from mev_dagster.store.types import nanoseconds


@dataclass(frozen=True, slots=True)
class PrunedRows:
    """What left (or would leave) one table."""

    rows: int
    days: tuple[str, ...]


@dataclass(slots=True)
class PruneReport:
    """What left the store, or would have in a dry run."""

    dry_run: bool
    tables: dict[str, PrunedRows] = field(default_factory=dict)

    @property
    def rows_pruned(self) -> int:
        """Rows over all tables."""
        return sum(pruned.rows for pruned in self.tables.values())


def prune(
    store: Store,
    *,
    dry_run: bool = False,
    before: date | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> PruneReport:
    """Drop what is older than its tier keeps, or every partition before a day."""
    report = PruneReport(dry_run)
    for table in TABLES.values():
        days = retention_days(table, store.settings)
        if days is None or table.day_column is None:
            continue
        if before is not None:
            condition = f"toDate({quoted(table.day_column)}) < toDate({literal(before.isoformat())})"
        else:
            condition = f"{VERSION_COLUMN} < {time_literal(nanoseconds(now() - timedelta(days=days)))}"
        pruned = _prune_table(store, table, condition, dry_run)
        if pruned.rows:
            report.tables[table.name] = pruned
    return report


def _prune_table(store: Store, table: Table, condition: str, dry_run: bool) -> PrunedRows:
    name = f"{quoted(store.database)}.{quoted(table.name)}"
    day_of_row = f"toDate({quoted(table.day_column or '')})"
    found = store.rows(
        f"SELECT toString({day_of_row}) AS day, countIf({condition}) AS old, count()"
        f" FROM {name} GROUP BY day HAVING old > 0 ORDER BY day"
    )
    pruned = PrunedRows(sum(old for _, old, _ in found), tuple(day for day, _, _ in found))
    if dry_run:
        return pruned
    for day, old, rows in found:
        if old == rows:
            store.command(f"ALTER TABLE {name} DROP PARTITION {literal(day)}")
        else:
            store.delete_where(table.name, f"{condition} AND {day_of_row} = toDate({literal(day)})")
    return pruned
