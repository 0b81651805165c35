"""Columns decoded in batches are the store's columns, cell by cell what the row builder writes."""

import pyarrow as pa

from mev_dagster.bench.transactions import generate
from mev_dagster.chain.columns import SCHEMA, decode_columns
from mev_dagster.chain.transactions import decode_transaction
from mev_dagster.ingest.rows import transaction_fields
from mev_dagster.store.log_writer import as_columns
from mev_dagster.store.tables import TABLES


def test_the_decoders_columns_are_those_of_the_transactions_table():
    table = TABLES["transactions"]
    for field in SCHEMA:
        column = table[field.name]
        assert column.type.arrow(text=not column.raw_bytes) == field.type, field.name
        assert column.type.nullable == field.nullable, field.name


def test_a_batch_holds_what_the_row_builder_would_write():
    raws = list(generate(400, seed=8))
    rows = decode_columns(raws).rows
    written = as_columns([transaction_fields(decode_transaction(raw)) for raw in raws])
    assert set(written) == set(SCHEMA.names)
    for name, values in written.items():
        column = TABLES["transactions"][name]
        encoded = column.type.encode(values, name, text=not column.raw_bytes)
        assert pa.array(encoded).equals(rows.column(name)), name
