"""What must hold of a table whatever fills it, generated from the schema; assets and `mev store verify` ask.

A check is a SELECT that counts the rows (or keys) that break it, over the whole table or over the rows of
one block. A blocking check says that whatever reads the table further down would be wrong.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mev_dagster.store.client import Store
from mev_dagster.store.sql import conditions, literal, quoted
from mev_dagster.store.tables import Column, Table

GENESIS_DAY = "2015-07-30"
_PARALLEL = re.compile(r"parallel to (\w+)")
_SHARE = re.compile(r"\bshare of\b")
_IDENTITIES = ("tx_hash", "block_hash")


@dataclass(frozen=True, slots=True)
class TableCheck:
    """One thing that must hold of a table; `counting` is a SELECT with `{source}` for the rows to look at."""

    table: str
    name: str
    description: str
    counting: str
    blocking: bool = True


def broken_checks(
    store: Store, table: Table, where: Mapping[str, Any] | None = None
) -> dict[TableCheck, int]:
    """Return how many rows or keys break each check of a table, asked in one statement."""
    checks = checks_of(table)
    if not checks:
        return {}
    counts = ", ".join(f"({statement})" for statement in countings(store, table, where))
    [found] = store.rows(f"SELECT {counts}")
    return dict(zip(checks, map(int, found), strict=True))


def countings(store: Store, table: Table, where: Mapping[str, Any] | None = None) -> list[str]:
    """Return the SELECT of each of a table's checks, for whoever asks more in the same statement."""
    rows = f"{quoted(store.database)}.{quoted(table.name)} WHERE {conditions(table, where or {})}"
    return [check.counting.format(source=f"(SELECT * FROM {rows})") for check in checks_of(table)]


def checks_of(table: Table) -> tuple[TableCheck, ...]:
    """Return the checks that the schema implies for a table."""
    return tuple(_checks(table))


def _checks(table: Table) -> Iterator[TableCheck]:
    if not table.self_compacting:
        key = ", ".join(quoted(name) for name in table.key)
        yield TableCheck(
            table.name,
            "keys_are_unique",
            f"No two rows have the same {', '.join(table.key)}.",
            f"SELECT count() FROM (SELECT 1 FROM {{source}} GROUP BY {key} HAVING count() > 1)",
        )
    identities = [quoted(name) for name in _IDENTITIES if name in table.by_name]
    if identities:
        zero = " OR ".join(f"reinterpretAsUInt256({name}) = 0" for name in identities)
        yield TableCheck(
            table.name,
            "hashes_are_set",
            "Every row names its transaction and block by a hash that is not zero.",
            f"SELECT countIf({zero}) FROM {{source}}",
        )
    parallel = [f"length({quoted(a)}) != length({quoted(b)})" for a, b in _parallel_columns(table.columns)]
    if parallel:
        yield TableCheck(
            table.name,
            "parallel_columns_match",
            "Columns that belong together element by element are of one length.",
            f"SELECT countIf({' OR '.join(parallel)}) FROM {{source}}",
        )
    shares = [quoted(column.name) for column in table.columns if _SHARE.search(column.comment)]
    if shares:
        outside = " OR ".join(f"ifNull(NOT ({name} BETWEEN 0 AND 1), 0)" for name in shares)
        yield TableCheck(
            table.name,
            "shares_are_shares",
            f"{' and '.join(column.strip('`') for column in shares)} lie between 0 and 1, or are null.",
            f"SELECT countIf({outside}) FROM {{source}}",
        )
    if table.day_column is not None:
        day = quoted(table.day_column)
        yield TableCheck(
            table.name,
            "days_are_possible",
            f"{table.day_column} lies between Ethereum's genesis and tomorrow.",
            f"SELECT countIf({day} < toDate({literal(GENESIS_DAY)}) OR {day} > now() + INTERVAL 1 DAY)"
            " FROM {source}",
            blocking=False,
        )


def _parallel_columns(columns: tuple[Column, ...]) -> Iterator[tuple[str, str]]:
    for column in columns:
        match = _PARALLEL.search(column.comment)
        if match is not None:
            yield column.name, match[1]
