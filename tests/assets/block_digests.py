"""What the tables hold of one block."""

from mev_dagster.store.client import Store, TableDigest

BLOCK_TABLES = {
    "tx_features": "block_number",
    "simulations": "block_number",
    "opportunities": "block_number",
    "plans": "block_number",
    "block_templates": "block_number",
    "mev_labels": "block_number",
    "label_runs": "block_number",
    "backtests": "first_block_number",
    "coverage": "first_block_number",
    "ingest_windows": "block_number",
    "block_runs": "block_number",
}


def digests(store: Store, number: int) -> dict[str, TableDigest]:
    return {table: store.digest(table, {column: number}) for table, column in BLOCK_TABLES.items()}
