"""The store as the other rooms use it: insert, replace, query, frame, migrate.

`open_store(settings)` returns the same `Store` over a ClickHouse server, the embedded server process or
chDB inside this process. Writes are idempotent: `replace` leaves exactly the rows it was given, however
often it is called, from however many processes, and wherever one of them was killed.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError
from urllib3.exceptions import HTTPError

from mev_dagster.errors import StoreError, StoreUnreachable
from mev_dagster.settings import Settings
from mev_dagster.store.migrate import MigrationReport, migrate
from mev_dagster.store.sql import Not, conditions, digest_expression, quoted, time_literal
from mev_dagster.store.tables import TABLES, VERSION_COLUMN, Table
from mev_dagster.store.types import nanoseconds

if TYPE_CHECKING:
    import pandas as pd


# A capture import spans years of days; the guard of 100 partitions a block is meant for typos in keys.
_KEYS_IN_A_STATEMENT = 64
_INSERT_SETTINGS = {"max_partitions_per_insert_block": 0}


class TableDigest(NamedTuple):
    """How many rows a table (or a block of it) holds and what they are, regardless of their order."""

    rows: int
    digest: str


def table_named(name: str) -> Table:
    """Return a table of the schema, or say which tables there are."""
    try:
        return TABLES[name]
    except KeyError:
        raise StoreError(f"no table {name!r}; there are {', '.join(TABLES)}") from None


@contextmanager
def _typed_errors() -> Iterator[None]:
    """Turn clickhouse-connect's errors into ours."""
    try:
        yield
    except OperationalError as error:
        raise StoreUnreachable(f"the store did not answer: {_message(error)}") from error
    except ClickHouseError as error:
        raise StoreError(_message(error)) from error
    except (HTTPError, HTTPException, OSError) as error:  # what breaks off in the middle of an answer
        raise StoreUnreachable(f"the store did not answer: {type(error).__name__}: {error}") from error


def _message(error: Exception) -> str:
    """Return the engine's own words, without what each transport wraps around them."""
    text = " ".join(str(error).split())
    start = text.rfind("server response: ")
    text = text[start + len("server response: ") :] if start >= 0 else text
    return text.partition(" (for url ")[0][:2000]


class Store:
    """One connection to the store. Safe to share between threads."""

    def __init__(self, client: Client, settings: Settings, *, on_close: Callable[[], None] | None = None):
        self.settings = settings
        self.database = settings.store.database
        self._client = client
        self._on_close = on_close
        self._last_version = 0

    @property
    def url(self) -> str:
        """Where the store is: http(s)://host:port, or chdb:// and a path."""
        return str(self._client.uri)

    # -- reading ------------------------------------------------------------------------------------------

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> pa.Table:
        """Run a SELECT and return Arrow columns: text as string, raw bytes as binary, times as timestamp[ns].

        UInt256 and Int256 arrive as 32 little-endian bytes; `rows` and `frame` give Python integers.
        """
        with _typed_errors():
            found = self._client.raw_query(sql, parameters=dict(params or {}), fmt="Arrow")
        try:
            return _with_text(pa.ipc.open_file(pa.py_buffer(found)).read_all())
        except pa.ArrowException as error:
            raise StoreUnreachable(f"the store's answer is no Arrow file: {error}") from error

    def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Run a SELECT and return tuples: exact integers, hashes as bytes, times as UTC nanoseconds."""
        with _typed_errors():
            result = self._client.query(
                sql,
                parameters=dict(params or {}),
                query_formats={"DateTime64": "int"},
                column_formats=_RAW_COLUMNS,
            )
        return [tuple(row) for row in result.result_rows]

    def table(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run a SELECT and return its column names and rows."""
        with _typed_errors():
            result = self._client.query(sql, query_formats={"DateTime64": "int"}, column_formats=_RAW_COLUMNS)
        return list(result.column_names), [tuple(row) for row in result.result_rows]

    def scalar(self, sql: str, params: Mapping[str, Any] | None = None) -> Any:
        """Run a SELECT of one value and return it."""
        found = self.rows(sql, params)
        if len(found) != 1 or len(found[0]) != 1:
            raise StoreError(f"expected one value, found {len(found)} rows: {sql}")
        return found[0][0]

    def frame(
        self,
        table: str,
        *,
        blocks: range | None = None,
        since: Any = None,
        until: Any = None,
        columns: Sequence[str] | None = None,
    ) -> "pd.DataFrame":
        """Return rows of a table as a pandas frame, in key order: exact integers, hashes as bytes.

        `blocks` filters by block (or window) number, `since` (inclusive) and `until` (exclusive) by the
        table's time column; times may be nanoseconds, datetimes or ISO text.
        """
        import pandas as pd

        spec = table_named(table)
        wanted = [spec[name] for name in (columns or spec.names)]
        names = ", ".join(quoted(column.name) for column in wanted)
        found = self.query(
            f"SELECT {names} FROM {self._name(spec)}{_filter(spec, blocks, since, until)}"
            f" ORDER BY {', '.join(quoted(name) for name in spec.key)}"
        )
        series = {}
        for column in wanted:
            arrow = found.column(column.name)
            kind = column.type
            if kind.base.startswith("DateTime64"):
                series[column.name] = pd.Series(kind.decode(arrow)).astype("datetime64[ns, UTC]")
            elif kind.pandas_dtype is not None:
                series[column.name] = pd.Series(kind.decode(arrow), dtype=kind.pandas_dtype)
            elif kind.wide or kind.width is not None or kind.item is not None or kind.base == "String":
                series[column.name] = pd.Series(kind.decode(arrow), dtype=object)
            else:
                series[column.name] = pd.Series(arrow.to_numpy())
        return pd.DataFrame(series)

    def count(self, table: str, where: Mapping[str, Any] | None = None) -> int:
        """Count the rows of a table, without FINAL."""
        spec = table_named(table)
        return int(
            self.scalar(f"SELECT count() FROM {self._name(spec)} WHERE {conditions(spec, where or {})}")
        )

    def digest(self, table: str, where: Mapping[str, Any] | None = None) -> TableDigest:
        """Count and digest rows without FINAL; equal digests mean equal rows in every stable column."""
        spec = table_named(table)
        [(rows, digest)] = self.rows(
            f"SELECT count(), {digest_expression(spec)} FROM {self._name(spec)}"
            f" WHERE {conditions(spec, where or {})}"
        )
        return TableDigest(int(rows), str(digest))

    # -- writing ------------------------------------------------------------------------------------------

    def insert(self, table: str, columns: Mapping[str, Sequence[Any]]) -> int:
        """Append rows given as columns; return how many the store says it wrote.

        Columns left out take their default. Not idempotent by itself: see `insert_new` and `replace`.
        """
        return self.insert_batch(table, self.arrow(table, columns))

    def insert_new(
        self, table: str, columns: Mapping[str, Sequence[Any]], *, key: str, since: Any = None
    ) -> int:
        """Append the first row of each `key` value that the table does not hold yet; return how many.

        With `since`, only the rows from that time on are looked at.
        """
        spec = table_named(table)
        batch = self.arrow(table, columns)
        distinct = batch.column(key).unique()
        known = self._known(spec, key, distinct, since)
        if not known and len(distinct) == batch.num_rows:
            return self.insert_batch(table, batch)
        keys = batch.column(key).to_pylist()
        fresh = []
        for index, value in enumerate(keys):
            if value not in known:
                known.add(value)
                fresh.append(index)
        return self.insert_batch(table, batch.take(pa.array(fresh, pa.int64()))) if fresh else 0

    def _known(self, spec: Table, key: str, values: pa.Array, since: Any) -> set[Any]:
        """Return which of these values of `key` the table holds.

        Many values travel as rows: a statement of 40,000 hashes takes a second to parse, a table of them
        30 ms. A table also keeps their width: a String ending in zero bytes would miss its FixedString.
        """
        recent = _filter(spec, None, since, None) or " WHERE 1"
        select = f"SELECT DISTINCT {quoted(key)} FROM {self._name(spec)}{recent} AND"
        if len(values) <= _KEYS_IN_A_STATEMENT:
            return {row[0] for row in self.rows(f"{select} {conditions(spec, {key: values.to_pylist()})}")}
        staging = f"{quoted(self.database)}.{quoted('_keys_' + secrets.token_hex(8))}"
        self.command(f"CREATE TABLE {staging} (value {spec[key].type.text}) ENGINE = Memory")
        try:
            with _typed_errors():
                self._client.insert_arrow(staging, pa.table({"value": values}))
            return {row[0] for row in self.rows(f"{select} {quoted(key)} IN (SELECT value FROM {staging})")}
        finally:
            self.command(f"DROP TABLE {staging}")

    def replace(self, table: str, where: Mapping[str, Any], columns: Mapping[str, Sequence[Any]]) -> int:
        """Make the rows that match `where` be exactly these; return how many were written.

        New rows go in first under a newer version, then every older version is deleted. Whoever comes last
        sees all versions and keeps only the newest, so two runs of one block, or a run killed in between
        and repeated, end with the rows of one run and never with none. Columns of `where` may be left out
        of `columns`; they are filled in.
        """
        spec = table_named(table)
        condition = conditions(spec, where)
        length = len(next(iter(columns.values()))) if columns else 0
        if length == 0:
            self.delete_where(table, condition)
            return 0
        exact = {name: value for name, value in where.items() if not isinstance(value, Not)}
        filled = {name: [value] * length for name, value in exact.items()} | dict(columns)
        written = self.insert_batch(table, self.arrow(table, filled))
        [(oldest, newest)] = self.rows(
            f"SELECT min({VERSION_COLUMN}), max({VERSION_COLUMN}) FROM {self._name(spec)} WHERE {condition}"
        )
        if oldest < newest:
            self.delete_where(table, f"{condition} AND {VERSION_COLUMN} < {time_literal(newest)}")
        return written

    def delete(self, table: str, where: Mapping[str, Any]) -> None:
        """Delete the rows that match; `where` must not be empty."""
        if not where:
            raise StoreError(f"refusing to delete all of {table}")
        self.delete_where(table, conditions(table_named(table), where))

    def delete_where(self, table: str, condition: str) -> None:
        """Delete the rows that a condition in SQL holds of."""
        self.command(f"DELETE FROM {self._name(table_named(table))} WHERE {condition}")

    def arrow(self, table: str, columns: Mapping[str, Sequence[Any]]) -> pa.Table:
        """Build and check the Arrow batch of an insert; all rows get one version."""
        spec = table_named(table)
        unknown = set(columns) - set(spec.names)
        if unknown:
            raise StoreError(f"{table} has no column {', '.join(sorted(unknown))}")
        missing = [column.name for column in spec.columns if column.required and column.name not in columns]
        if missing:
            raise StoreError(f"{table} needs {', '.join(missing)}")
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise StoreError(f"{table}: columns differ in length: {lengths}")
        arrays = {
            column.name: column.type.encode(
                columns[column.name], f"{table}.{column.name}", text=not column.raw_bytes
            )
            for column in spec.columns
            if column.name in columns and not column.is_all_default(columns[column.name])
        }
        if VERSION_COLUMN in spec.by_name and VERSION_COLUMN not in columns:
            length = max(lengths.values(), default=0)
            version = spec[VERSION_COLUMN].type
            arrays[VERSION_COLUMN] = version.encode([self._next_version()] * length, VERSION_COLUMN)
        return pa.table(arrays)

    def insert_batch(self, table: str, batch: pa.Table) -> int:
        """Append a batch that `arrow` has built; return how many rows the store says it wrote."""
        if batch.num_rows == 0:
            return 0
        with _typed_errors():
            summary = self._client.insert_arrow(table, batch, database=self.database)
        written = int(summary.written_rows)
        if written != batch.num_rows:
            raise StoreError(f"{table}: sent {batch.num_rows} rows, the store wrote {written}")
        return written

    def _next_version(self) -> int:
        self._last_version = max(self._last_version + 1, time.time_ns())
        return self._last_version

    # -- the rest -----------------------------------------------------------------------------------------

    def command(self, sql: str, params: Mapping[str, Any] | None = None) -> Any:
        """Run a statement that is no SELECT."""
        with _typed_errors():
            return self._client.command(sql, parameters=dict(params or {}))

    def migrate(self) -> MigrationReport:
        """Bring the database to the schema of this version; changes nothing when it is there already."""
        report = migrate(self)
        self.use_database()
        return report

    def exists(self) -> bool:
        """Say whether the store's database has been made."""
        databases = "SELECT count() FROM system.databases WHERE name = {name:String}"
        return bool(self.scalar(databases, {"name": self.database}))

    def use_database(self) -> None:
        """Make unqualified table names mean the store's database."""
        with _typed_errors():
            self._client.database = self.database

    def ping(self) -> bool:
        """Say whether the store answers."""
        return bool(self._client.ping())

    def close(self) -> None:
        """Let go of the connection; an in-process engine ends with its last store."""
        self._client.close()
        if self._on_close is not None:
            self._on_close()
            self._on_close = None

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _name(self, spec: Table) -> str:
        return f"{quoted(self.database)}.{quoted(spec.name)}"


_RAW_COLUMNS = {
    column.name: "bytes" for table in TABLES.values() for column in table.columns if column.raw_bytes
}


def _with_text(table: pa.Table) -> pa.Table:
    """Turn the binary columns that hold text into strings; columns named for raw bytes stay binary."""
    for index, field in enumerate(table.schema):
        if field.name in _RAW_COLUMNS:
            continue
        target = _text_type(field.type)
        if target == field.type:
            continue
        try:
            table = table.set_column(index, field.name, table.column(index).cast(target))
        except pa.ArrowInvalid:
            continue  # an expression of the caller's made bytes that are no text
    return table


def _text_type(kind: pa.DataType) -> pa.DataType:
    if kind == pa.binary():
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(_text_type(kind.value_type))
    return kind


def _filter(spec: Table, blocks: range | None, since: Any, until: Any) -> str:
    parts = []
    if blocks is not None:
        if spec.block_column is None or blocks.step != 1:
            raise StoreError(f"{spec.name} cannot be read by blocks={blocks}")
        parts.append(f"{spec.block_column} >= {blocks.start} AND {spec.block_column} < {blocks.stop}")
    for bound, operator in ((since, ">="), (until, "<")):
        if bound is not None:
            if spec.day_column is None:
                raise StoreError(f"{spec.name} has no time to filter by")
            parts.append(f"{spec.day_column} {operator} {time_literal(nanoseconds(bound))}")
    return f" WHERE {' AND '.join(parts)}" if parts else ""


def open_store(settings: Settings, *, in_process: bool = True, migrate: bool = True) -> Store:
    """Open the store these settings mean, with its schema in place.

    A ClickHouse server when `store_url` is set; else the embedded server that advertises itself in
    `home/store.json`; else chDB in this process. A service that runs for long passes `in_process=False`:
    it must never own the engine that the embedded server is about to open again.
    """
    from mev_dagster.store.endpoint import connect

    client, on_close = connect(settings, in_process=in_process)
    store = Store(client, settings, on_close=on_close)
    try:
        if migrate:
            store.migrate()
        elif store.exists():
            store.use_database()
    except BaseException:
        store.close()
        raise
    return store
