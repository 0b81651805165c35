"""Columns decoded in batches are the store's columns, cell by cell what one transaction says of itself."""

import pyarrow as pa

from mev_dagster.bench.transactions import generate
from mev_dagster.chain.columns import SCHEMA, decode_columns
from mev_dagster.chain.transactions import decode_transaction
from mev_dagster.store.tables import TABLES
from mev_dagster.windows.log_writer import as_columns


def fields_of(transaction):
    """Return what a transaction says of itself, as columns of `transactions`."""
    authorizations = transaction.authorization_list
    return {
        "tx_hash": transaction.hash,
        "tx_type": transaction.type,
        "chain_id": transaction.chain_id,
        "nonce": transaction.nonce,
        "sender": transaction.sender,
        "to": transaction.to,
        "value_wei": transaction.value_wei,
        "gas_limit": transaction.gas_limit,
        "gas_price_wei": transaction.gas_price_wei,
        "max_fee_per_gas_wei": transaction.max_fee_per_gas_wei,
        "max_priority_fee_per_gas_wei": transaction.max_priority_fee_per_gas_wei,
        "max_fee_per_blob_gas_wei": transaction.max_fee_per_blob_gas_wei,
        "access_list_addresses": [entry.address for entry in transaction.access_list],
        "access_list_storage_keys": [list(entry.storage_keys) for entry in transaction.access_list],
        "blob_versioned_hashes": list(transaction.blob_versioned_hashes),
        "authorization_chain_ids": [item.chain_id for item in authorizations],
        "authorization_addresses": [item.address for item in authorizations],
        "authorization_nonces": [item.nonce for item in authorizations],
        "authorization_y_parities": [item.y_parity for item in authorizations],
        "authorization_r": [item.r for item in authorizations],
        "authorization_s": [item.s for item in authorizations],
        "authorization_authorities": [item.authority for item in authorizations],
        "input": transaction.data,
        "input_len": transaction.input_len,
        "selector": transaction.selector,
        "v": transaction.v,
        "r": transaction.r,
        "s": transaction.s,
        "raw_len": transaction.raw_len,
    }


def test_the_decoders_columns_are_those_of_the_transactions_table():
    table = TABLES["transactions"]
    for field in SCHEMA:
        column = table[field.name]
        assert column.type.arrow(text=not column.raw_bytes) == field.type, field.name
        assert column.type.nullable == field.nullable, field.name


def test_a_batch_holds_what_each_transaction_says_of_itself():
    raws = list(generate(400, seed=8))
    rows = decode_columns(raws).rows
    written = as_columns([fields_of(decode_transaction(raw)) for raw in raws])
    assert set(written) == set(SCHEMA.names)
    for name, values in written.items():
        column = TABLES["transactions"][name]
        encoded = column.type.encode(values, name, text=not column.raw_bytes)
        assert pa.array(encoded).equals(rows.column(name)), name
