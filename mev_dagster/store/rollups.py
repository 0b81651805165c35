"""Per-block rows summed up by clock window: the store does the sums, one .sql file a table.

Doing a window again replaces its rows, so a backfilled block is counted by rolling its window up once more.
"""

from dataclasses import dataclass
from importlib import resources
from typing import Any

from mev_dagster.store.client import Store
from mev_dagster.store.tables import TABLES

_FOLDER = resources.files("mev_dagster.store") / "rollup_sql"


@dataclass(frozen=True, slots=True)
class Rollup:
    """A table of sums and the column that holds its window's start."""

    table: str
    window_column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that the statement fills, in its order."""
        return tuple(
            column.name
            for column in TABLES[self.table].columns
            if column.name not in {self.window_column, "stored_at"}
        )


BACKTESTS_DAILY = Rollup("backtests_daily", "day")
LABELS_DAILY = Rollup("labels_daily", "day")


def roll_up(store: Store, rollup: Rollup, start_ns: int, end_ns: int) -> list[dict[str, Any]]:
    """Replace the rows of the window `[start_ns, end_ns)` by its sums; return them."""
    sql = (_FOLDER / f"{rollup.table}.sql").read_text()
    found = store.rows(sql, {"start": start_ns, "end": end_ns})
    columns = {name: [row[index] for row in found] for index, name in enumerate(rollup.columns)}
    store.replace(rollup.table, {rollup.window_column: start_ns}, columns if found else {})
    return [dict(zip(rollup.columns, row, strict=True)) for row in found]
