"""The one schema module: what the `.sql` files under `schema/` say, as values.

The DDL is the source; nothing about a table is written twice. A column whose comment ends in
"raw bytes" holds bytes although ClickHouse calls it String; one whose comment ends in "volatile" differs
between two runs over the same input and is left out of digests, like the `stored_at` version column.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mev_dagster.store.types import ColumnType, parse_type

VERSION_COLUMN = "stored_at"
BLOCK_COLUMNS = ("block_number", "window_number", "first_block_number")

_CREATE = re.compile(
    r"-- (?P<comment>[^\n]+)\n"
    r"CREATE TABLE IF NOT EXISTS (?P<name>\w+)\n"
    r"\(\n(?P<body>.*?)\n\)\n"
    r"ENGINE = ReplacingMergeTree\((?P<version>\w+)\)\n"
    r"(?:PARTITION BY toDate\((?P<day>\w+)\)\n)?"
    r"ORDER BY (?P<key>[^\n]+)\n"
    r"(?:TTL toDateTime\(stored_at\) \+ INTERVAL \{retention_days_(?P<tier>\w+)\} DAY\n"
    r"SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1\n)?",
    re.DOTALL,
)
_COLUMN = re.compile(
    r"`?(?P<name>\w+)`? (?P<type>\w+(?:\(.*?\))?)"
    r"(?: DEFAULT (?P<default>.+?))?"
    r" COMMENT '(?P<comment>[^']*)'"
    r"(?: CODEC\(.+\))?"
)
_INDEX = re.compile(r"INDEX \w+ \w+ TYPE .+")


@dataclass(frozen=True, slots=True)
class Column:
    """One column as the DDL declares it."""

    name: str
    type: ColumnType
    comment: str
    default: str | None
    ddl: str

    @property
    def required(self) -> bool:
        """Whether an insert must bring this column."""
        return self.default is None and not self.type.nullable

    @property
    def volatile(self) -> bool:
        """Whether two runs over the same input may differ here."""
        return self.name == VERSION_COLUMN or self.comment.endswith("volatile")

    @property
    def raw_bytes(self) -> bool:
        """Whether a String column holds bytes, not text."""
        return self.comment.endswith("raw bytes")

    def is_all_default(self, values: Sequence[Any] | pa.Array) -> bool:
        """Whether `values` are what the store fills in by itself, so that they need not be sent."""
        if isinstance(values, pa.Array | pa.ChunkedArray):
            if self.default == "[]":
                return values.null_count == 0 and len(pc.list_flatten(values)) == 0
            return self._defaults_to_null and values.null_count == len(values)
        if self.default == "[]":
            return not any(values) and None not in values
        return self._defaults_to_null and all(value is None for value in values)

    @property
    def _defaults_to_null(self) -> bool:
        return self.default is None and self.type.nullable

    def arrow_field(self) -> pa.Field:
        """Return the Arrow field that carries this column."""
        return pa.field(
            self.name, self.type.arrow(text=not self.raw_bytes), nullable=self.type.nullable
        ).with_metadata({"clickhouse": self.type.text, "comment": self.comment})


@dataclass(frozen=True)
class Table:
    """One table: columns, sorting key, the column whose UTC day is the partition, and the TTL tier."""

    name: str
    comment: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    day_column: str | None
    tier: str | None
    version_column: str
    ddl: str

    def __getitem__(self, name: str) -> Column:
        return self.by_name[name]

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """Columns by name."""
        return MappingProxyType({column.name: column for column in self.columns})

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)

    @property
    def stable(self) -> tuple[Column, ...]:
        """Columns that are equal between two runs over the same input; digests cover these."""
        return tuple(column for column in self.columns if not column.volatile)

    @property
    def block_column(self) -> str | None:
        """The column that `blocks=` filters by."""
        return next((name for name in BLOCK_COLUMNS if name in self.by_name), None)

    @property
    def self_compacting(self) -> bool:
        """Whether older versions of a key may lie beside the newest until ClickHouse merges them."""
        return self.name in {"schema_migrations", "writer_progress"}

    @property
    def checksum(self) -> bytes:
        """SHA-256 of the file this table was read from."""
        return hashlib.sha256(self.ddl.encode()).digest()

    def arrow_schema(self) -> pa.Schema:
        """Return the Arrow schema of a whole row."""
        return pa.schema([column.arrow_field() for column in self.columns])


def _columns(body: str) -> tuple[Column, ...]:
    found = []
    for raw in body.split(",\n"):
        line = raw.strip()
        if _INDEX.fullmatch(line):
            continue
        match = _COLUMN.fullmatch(line)
        if match is None:
            raise ValueError(f"schema: not a column definition: {line}")
        found.append(
            Column(match["name"], parse_type(match["type"]), match["comment"], match["default"], line)
        )
    return tuple(found)


def parse_table(ddl: str) -> Table:
    """Read one CREATE TABLE file."""
    match = _CREATE.fullmatch(ddl)
    if match is None:
        raise ValueError(f"schema: not in the house's CREATE TABLE form: {ddl[:60]!r}")
    return Table(
        name=match["name"],
        comment=match["comment"],
        columns=_columns(match["body"]),
        key=tuple(part.strip() for part in match["key"].strip("()").split(",")),
        day_column=match["day"],
        tier=match["tier"],
        version_column=match["version"],
        ddl=ddl,
    )


def _read_all() -> Mapping[str, Table]:
    folder = resources.files("mev_dagster.store") / "schema"
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda f: f.name)
    tables = (parse_table(entry.read_text()) for entry in files)
    return MappingProxyType({table.name: table for table in tables})


TABLES: Mapping[str, Table] = _read_all()
