"""Small pieces of ClickHouse SQL: literals, identifiers, and the conditions the store itself builds."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mev_dagster.errors import StoreError
from mev_dagster.store.tables import Column, Table
from mev_dagster.store.types import nanoseconds

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Not:
    """In `conditions`: any value but this one."""

    value: Any


def quoted(name: str) -> str:
    """Return an identifier in backticks; refuses anything that is not a plain name."""
    if not _NAME.fullmatch(name):
        raise StoreError(f"not an identifier: {name!r}")
    return f"`{name}`"


def literal(value: Any) -> str:
    """Return a value as a ClickHouse literal; bytes become a string of escapes, which FixedString takes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, bytes | bytearray | memoryview):
        return "'" + "".join(f"\\x{byte:02x}" for byte in bytes(value)) + "'"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    raise StoreError(f"no literal for a {type(value).__name__}")


def time_literal(wall_ns: int) -> str:
    """Return a DateTime64(9, 'UTC') literal."""
    return f"fromUnixTimestamp64Nano(toInt64({int(wall_ns)}), 'UTC')"


def conditions(table: Table, where: Mapping[str, Any]) -> str:
    """Return `a = 1 AND b IN (...)` for columns of `table`; a list or tuple means any of its values,
    `Not` any other."""
    if not where:
        return "1"
    parts = []
    for name, value in where.items():
        column = table.by_name.get(name)
        if column is None:
            raise StoreError(f"{table.name} has no column {name}")
        if isinstance(value, list | tuple | set | frozenset):
            options = ", ".join(_literal_of(column, option) for option in value) or "NULL"
            parts.append(f"{quoted(name)} IN ({options})")
        elif isinstance(value, Not):
            parts.append(f"{quoted(name)} != {literal(value.value)}")
        else:
            parts.append(f"{quoted(name)} = {_literal_of(column, value)}")
    return " AND ".join(parts)


def _literal_of(column: Column, value: Any) -> str:
    """Return a value as the column holds it: a plain integer beside a time would be taken for seconds."""
    if column.type.base.startswith("DateTime64"):
        return time_literal(nanoseconds(value))
    return literal(value)


def digest_expression(table: Table) -> str:
    """Return an aggregate over the stable columns that does not depend on the order of the rows.

    A plain hash of NULL is NULL and its row would drop out of the sum, so nullable columns are hashed as a
    flag and a value, and arrays as text.
    """
    parts = []
    for column in table.stable:
        name = quoted(column.name)
        if column.type.item is not None:
            parts.append(f"toString({name})")
        elif column.type.nullable:
            parts.append(f"isNull({name}), ifNull(toString({name}), '')")
        else:
            parts.append(name)
    return f"hex(sum(reinterpretAsUInt128(sipHash128({', '.join(parts)}))))"
