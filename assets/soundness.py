"""One check on every asset that fills a table, generated from the schema: what must hold of its rows.

Keys are unique, hashes are set, columns that belong together match (`mev_dagster.store.checks`), and what a
row refers to exists. It blocks: whatever reads unsound rows further down would be wrong too.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import dagster as dg

from assets.verdicts import without_verdict
from mev_dagster.store.checks import checks_of, countings
from mev_dagster.store.client import Store
from mev_dagster.store.sql import conditions, quoted
from mev_dagster.store.tables import TABLES

NAME = "rows_are_sound"


class Reference(NamedTuple):
    """Every value of `column` stands in `target`'s column of the same name."""

    column: str
    target: str


REFERENCES = {
    "tx_features": Reference("tx_hash", "transactions"),
    "opportunities": Reference("block_number", "ingest_windows"),
}


def spec(asset: str, table: str) -> dg.AssetCheckSpec:
    """Return the declaration of the check."""
    held = [check.description for check in checks_of(TABLES[table])]
    if table in REFERENCES:
        held.append(f"Every {REFERENCES[table].column} stands in {REFERENCES[table].target}.")
    return dg.AssetCheckSpec(NAME, asset=asset, blocking=True, description=" ".join(held))


def judged(store: Store, table: str, number: int) -> dg.AssetCheckResult:
    """Hold the rows of one block against the schema's checks."""
    column = TABLES[table].block_column
    if column is None:
        raise dg.DagsterInvariantViolationError(f"{table} has no column that names a block")
    besides = {}
    if table in REFERENCES:
        besides["references_exist"] = dangling(table, REFERENCES[table], column, number)
    return verdict(store, table, {column: number}, besides)


def verdict(
    store: Store, table: str, where: Mapping[str, Any], countings_besides: Mapping[str, str]
) -> dg.AssetCheckResult:
    """Hold the rows that match against the schema's checks, and against what is to be counted besides.

    All is asked in one statement: it is asked of every table of every block.
    """
    schema = TABLES[table]
    checks = checks_of(schema)
    asked = dict(zip((check.name for check in checks), countings(store, schema, where), strict=True))
    asked |= countings_besides
    asked["rows"] = f"SELECT count() FROM {quoted(table)} WHERE {conditions(schema, where)}"  # noqa: S608
    [found] = store.rows("SELECT " + ", ".join(f"({statement})" for statement in asked.values()))
    counts = dict(zip(asked, map(int, found), strict=True))
    harmless = {check.name for check in checks if not check.blocking}
    if not counts["rows"] and not any(counts.values()):
        return without_verdict(NAME, f"no row of {table}")
    failed = {name for name, count in counts.items() if count and name != "rows"}
    return dg.AssetCheckResult(
        check_name=NAME,
        passed=not failed,
        severity=dg.AssetCheckSeverity.WARN if failed <= harmless else dg.AssetCheckSeverity.ERROR,
        metadata=counts,
    )


def dangling(table: str, reference: Reference, block_column: str, number: int) -> str:
    """Return the SELECT that counts the values of a block's rows that the table they refer to lacks."""
    name, target = quoted(reference.column), quoted(reference.target)
    values = f"SELECT DISTINCT {name} FROM {quoted(table)} WHERE {quoted(block_column)} = {number:d}"  # noqa: S608
    return (
        f"SELECT count() FROM ({values}) WHERE {name} NOT IN"  # noqa: S608
        f" (SELECT {name} FROM {target} WHERE {name} IN ({values}))"
    )
