"""What Dagster shows of a table, generated from the store's one schema module."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg

from mev_dagster.store.tables import TABLES
from mev_dagster.units import ETHER

PREVIEW_ROWS = 12
TABLE_NAME = "dagster/table_name"


def table_metadata(table: str) -> dict[str, Any]:
    """Return the static metadata of an asset that fills `table`: its name and column schema."""
    spec = TABLES[table]
    columns = [
        dg.TableColumn(
            name=column.name,
            type=column.type.text,
            description=column.comment,
            constraints=dg.TableColumnConstraints(nullable=column.type.nullable),
        )
        for column in spec.columns
    ]
    return {
        TABLE_NAME: f"mev.{table}",
        "dagster/column_schema": dg.TableSchema(columns=columns),
    }


def preview(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], limit: int = PREVIEW_ROWS
) -> dg.TableMetadataValue:
    """Return the first rows as an inline table; bytes as short hex, wide integers as text."""
    schema = dg.TableSchema(columns=[dg.TableColumn(name=name, type="string") for name in columns])
    records = [
        dg.TableRecord({name: readable(row.get(name)) for name in columns})
        for row, _ in zip(rows, range(limit), strict=False)
    ]
    return dg.MetadataValue.table(records=records, schema=schema)


def readable(value: Any) -> str:
    """Return one cell as a person reads it."""
    if isinstance(value, bytes):
        text = value.hex()
        return f"0x{text}" if len(text) <= 16 else f"0x{text[:8]}…{text[-6:]}"
    if isinstance(value, list | tuple):
        return ", ".join(readable(item) for item in value)
    return str(value)


def ether(amount_wei: int) -> float:
    """Return wei as ether for a plot; never for anything that is ranked or stored."""
    return amount_wei / ETHER
