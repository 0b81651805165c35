"""Integrity of the store: the bytes on disk, the schema, and what the schema says must hold of the rows."""

from dataclasses import dataclass, field

from mev_dagster.store.checks import broken_checks
from mev_dagster.store.client import Store
from mev_dagster.store.sql import literal, quoted
from mev_dagster.store.tables import TABLES, Table


@dataclass(frozen=True, slots=True)
class TableHealth:
    """What was found in one table; `problems` is empty when all holds."""

    rows: int
    digest: str
    problems: tuple[str, ...]


@dataclass(slots=True)
class StoreHealth:
    """What was found in the store."""

    tables: dict[str, TableHealth] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing was wrong."""
        return not any(health.problems for health in self.tables.values())


def verify(store: Store) -> StoreHealth:
    """Check every table of the schema."""
    declared: dict[str, dict[str, str]] = {}
    for table, column, kind in store.rows(
        "SELECT table, name, type FROM system.columns WHERE database = {db:String}", {"db": store.database}
    ):
        declared.setdefault(table, {})[column] = kind
    report = StoreHealth()
    for table in TABLES.values():
        found = declared.get(table.name)
        if found is None:
            report.tables[table.name] = TableHealth(0, "", ("the table is missing: mev store migrate",))
        else:
            report.tables[table.name] = _verify_table(store, table, found)
    return report


def _verify_table(store: Store, table: Table, found: dict[str, str]) -> TableHealth:
    problems = [
        f"column {column.name} is {found.get(column.name, 'missing')}, expected {column.type.text}"
        for column in table.columns
        if found.get(column.name) != column.type.text
    ]
    if problems:
        return TableHealth(0, "", tuple(problems))
    name = f"{quoted(store.database)}.{quoted(table.name)}"
    if store.command(f"CHECK TABLE {name} SETTINGS check_query_single_value_result = 1") != 1:
        problems.append(f"a part on disk is damaged: CHECK TABLE {name} says which")
    for check, broken in broken_checks(store, table).items():
        if broken and check.blocking:
            problems.append(f"{check.name}: {broken} do not hold: {check.description}")
    digest = store.digest(table.name)
    return TableHealth(digest.rows, digest.digest, tuple(problems))


def compressed_bytes(store: Store, table: str) -> int:
    """Return the bytes a table's columns take on disk, without indexes."""
    return int(
        store.scalar(
            "SELECT coalesce(sum(data_compressed_bytes), 0) FROM system.parts"
            f" WHERE active AND database = {literal(store.database)} AND table = {literal(table)}"
        )
    )
