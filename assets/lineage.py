"""Column lineage, read off the schema: a column that an upstream table has too, by name and type, is its."""

from collections.abc import Iterable, Mapping

import dagster as dg

from assets.tables import TABLE_NAME
from mev_dagster.store.tables import TABLES, VERSION_COLUMN

OF_NO_ROW = {VERSION_COLUMN, "log_id", "computed_at", "run_id"}
"""Columns that say how a row was made; two tables having them connects nothing."""


def column_lineage(table: str, upstream: Iterable[dg.AssetsDefinition]) -> dg.TableColumnLineage | None:
    """Return where the columns of `table` come from, None when no upstream asset shares one."""
    tables = {asset.key: _table_of(asset.metadata_by_key[asset.key]) for asset in upstream}
    sources = {}
    for column in TABLES[table].columns:
        if column.name in OF_NO_ROW:
            continue
        found = [
            dg.TableColumnDep(asset_key=key, column_name=column.name)
            for key, name in tables.items()
            if name is not None
            and column.name in TABLES[name].by_name
            and TABLES[name][column.name].type.text == column.type.text
        ]
        if found:
            sources[column.name] = found
    return dg.TableColumnLineage(sources) if sources else None


def _table_of(metadata: Mapping[str, object]) -> str | None:
    value = metadata.get(TABLE_NAME)
    return str(getattr(value, "value", value)).removeprefix("mev.") if value is not None else None
