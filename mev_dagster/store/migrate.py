"""Bring a database to the schema of this version.

New tables and columns are added by themselves, columns that became nullable are widened; TTLs follow the
settings; the views are made again.
Anything else (a changed type, key or partition) cannot be done in place: the migration refuses and names
the column, and the table can be dropped and rebuilt from the event log.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mev_dagster.errors import StoreError
from mev_dagster.settings import Settings
from mev_dagster.store.sql import quoted
from mev_dagster.store.tables import TABLES, Column, Table

_MIGRATIONS = "schema_migrations"
PATCHABLE = "enable_block_number_column = 1"


class Database(Protocol):
    """What a migration needs of the store: statements, and what the settings say."""

    settings: Settings
    database: str

    def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Run a SELECT and return its rows."""

    def scalar(self, sql: str, params: Mapping[str, Any] | None = None) -> Any:
        """Run a SELECT of one value and return it."""

    def command(self, sql: str, params: Mapping[str, Any] | None = None) -> Any:
        """Run a statement that is no SELECT."""

    def insert(self, table: str, columns: Mapping[str, Sequence[Any]]) -> int:
        """Append rows given as columns; return how many were written."""


@dataclass(slots=True)
class MigrationReport:
    """What a migration did; all empty when the database was current."""

    created: list[str] = field(default_factory=list)
    columns_added: list[str] = field(default_factory=list)
    columns_widened: list[str] = field(default_factory=list)
    ttl_changed: list[str] = field(default_factory=list)
    made_patchable: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything was done."""
        return self != MigrationReport()


def retention_days(table: Table, settings: Settings) -> int | None:
    """Return how many days a table's rows are kept; None for ever."""
    return None if table.tier is None else int(getattr(settings.retention, f"days_{table.tier}"))


def render(table: Table, settings: Settings) -> str:
    """Return the DDL with its TTL filled in from the settings and the table named in full."""
    ddl = table.ddl
    if table.tier is not None:
        ddl = ddl.replace(f"{{retention_days_{table.tier}}}", str(retention_days(table, settings)))
    qualified = f"{quoted(settings.store.database)}.{quoted(table.name)}"
    return ddl.replace(f"IF NOT EXISTS {table.name}\n", f"IF NOT EXISTS {qualified}\n", 1)


def view_ddl(table: Table, database: str) -> str:
    """Return the `v_*` view of a table: the same columns with 0x-hex where the table has bytes."""
    columns = ",\n    ".join(_readable(column) for column in table.columns)
    view, source = (
        f"{quoted(database)}.{quoted('v_' + table.name)}",
        f"{quoted(database)}.{quoted(table.name)}",
    )
    return f"CREATE OR REPLACE VIEW {view} AS\nSELECT\n    {columns}\nFROM {source}"


def _readable(column: Column) -> str:
    name, kind = quoted(column.name), column.type
    item = kind.item
    if item is not None and item.item is not None and item.item.width is not None:
        return f"arrayMap(inner -> arrayMap(x -> concat('0x', lower(hex(x))), inner), {name}) AS {name}"
    if item is not None and item.width is not None:
        return f"arrayMap(x -> concat('0x', lower(hex(x))), {name}) AS {name}"
    if kind.width is not None or column.raw_bytes:
        return f"concat('0x', lower(hex({name}))) AS {name}"
    return name


def migrate(store: Database) -> MigrationReport:
    """Create or extend every table and view; cheap and silent when nothing is to do."""
    report = MigrationReport()
    database = quoted(store.database)
    applied = _applied(store)
    if applied.keys() >= TABLES.keys() and all(
        applied[name] == _fingerprint(table, store.settings) for name, table in TABLES.items()
    ):
        return report
    store.command(f"CREATE DATABASE IF NOT EXISTS {database}")
    existing = _columns_of(store)
    current: dict[str, bytes] = {}
    for table in TABLES.values():
        fingerprint = _fingerprint(table, store.settings)
        if applied.get(table.name) == fingerprint:
            continue
        if table.name in existing:
            _extend(store, table, existing[table.name], report)
            _set_ttl(store, table, report)
            _let_patch(store, table, report)
        else:
            store.command(render(table, store.settings))
            report.created.append(table.name)
        store.command(view_ddl(table, store.database))
        current[table.name] = fingerprint
    store.insert(_MIGRATIONS, {"name": list(current), "checksum": list(current.values())})
    return report


def _fingerprint(table: Table, settings: Settings) -> bytes:
    """Digest of the rendered DDL, so that a changed retention setting is noticed too."""
    return hashlib.sha256(render(table, settings).encode()).digest()


def _applied(store: Database) -> dict[str, bytes]:
    exists = store.scalar(
        "SELECT count() FROM system.tables WHERE database = {db:String} AND name = {name:String}",
        {"db": store.database, "name": _MIGRATIONS},
    )
    if not exists:
        return {}
    return dict(
        store.rows(
            f"SELECT name, argMax(checksum, applied_at) FROM {quoted(store.database)}.{_MIGRATIONS}"
            " GROUP BY name"
        )
    )


def _columns_of(store: Database) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for table, name, kind in store.rows(
        "SELECT table, name, type FROM system.columns WHERE database = {db:String}", {"db": store.database}
    ):
        found.setdefault(table, {})[name] = kind
    return found


def _extend(store: Database, table: Table, existing: dict[str, str], report: MigrationReport) -> None:
    _check_layout(store, table)
    previous = None
    for column in table.columns:
        have = existing.get(column.name)
        if have is None:
            place = f"AFTER {quoted(previous)}" if previous else "FIRST"
            store.command(
                f"ALTER TABLE {quoted(store.database)}.{quoted(table.name)}"
                f" ADD COLUMN IF NOT EXISTS {column.ddl} {place}"
            )
            report.columns_added.append(f"{table.name}.{column.name}")
        elif column.type.text == f"Nullable({have})" and column.name not in table.key:
            store.command(
                f"ALTER TABLE {quoted(store.database)}.{quoted(table.name)} MODIFY COLUMN {column.ddl}"
            )
            report.columns_widened.append(f"{table.name}.{column.name}")
        elif have != column.type.text:
            raise StoreError(
                f"{table.name}.{column.name} is {have} here and {column.type.text} in the schema; "
                "drop the table and rebuild it from the event log"
            )
        previous = column.name
    gone = [name for name in existing if name not in table.by_name]
    if gone:
        raise StoreError(f"{table.name} has columns the schema no longer knows: {', '.join(gone)}")


def _check_layout(store: Database, table: Table) -> None:
    expected = (
        ", ".join(table.key),
        f"toDate({table.day_column})" if table.day_column is not None else "",
    )
    [found] = store.rows(
        "SELECT sorting_key, partition_key FROM system.tables"
        " WHERE database = {db:String} AND name = {name:String}",
        {"db": store.database, "name": table.name},
    )
    if found != expected:
        raise StoreError(
            f"{table.name} is sorted by ({found[0]}) and partitioned by ({found[1]}) here, and by "
            f"({expected[0]}) and ({expected[1]}) in the schema; drop the table and rebuild it"
        )


def _set_ttl(store: Database, table: Table, report: MigrationReport) -> None:
    days = retention_days(table, store.settings)
    ddl = _stored_ddl(store, table)
    if days is None or f"toIntervalDay({days})" in ddl:
        return
    store.command(
        f"ALTER TABLE {quoted(store.database)}.{quoted(table.name)}"
        f" MODIFY TTL toDateTime(stored_at) + INTERVAL {days} DAY"
    )
    report.ttl_changed.append(table.name)


def _let_patch(store: Database, table: Table, report: MigrationReport) -> None:
    """Keep what deletions by patch need in tables from before they did; parts written so far mutate once."""
    if PATCHABLE not in table.ddl or PATCHABLE in _stored_ddl(store, table):
        return
    store.command(
        f"ALTER TABLE {quoted(store.database)}.{quoted(table.name)}"
        f" MODIFY SETTING {PATCHABLE}, enable_block_offset_column = 1"
    )
    report.made_patchable.append(table.name)


def _stored_ddl(store: Database, table: Table) -> str:
    return str(
        store.scalar(
            "SELECT create_table_query FROM system.tables"
            " WHERE database = {db:String} AND name = {name:String}",
            {"db": store.database, "name": table.name},
        )
    )
