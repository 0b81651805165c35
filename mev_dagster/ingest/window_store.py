"""One window's rows in the store: there already, or written again from the log."""

from mev_dagster.ingest.rows import INGEST_TABLES, Rows
from mev_dagster.store.client import Store
from mev_dagster.store.sql import conditions, literal
from mev_dagster.store.tables import TABLES


def ensure_window(store: Store, rows: Rows) -> int:
    """Make the store hold exactly these rows of a window; return how many had to be written again.

    The daemon has usually stored them; then this only counts. What differs in number is written anew, so a
    store that was dropped, pruned or half-filled is repaired by running the window again.
    """
    rewritten = 0
    (window,) = rows.written["ingest_windows"]
    span = (
        f"log_id = {literal(window['log_id'])}"
        f" AND seq BETWEEN {int(window['first_seq'])} AND {int(window['last_seq'])}"
    )
    for table in INGEST_TABLES:
        wanted = rows.written.get(table, [])
        if table == "ingest_windows":
            where = conditions(TABLES[table], {"block_number": window["block_number"],
                                               "block_hash": window["block_hash"]})  # fmt: skip
        else:
            where = span
        stored = int(store.scalar(f"SELECT count() FROM {table} FINAL WHERE {where}"))  # noqa: S608
        if stored == len(wanted):
            continue
        store.command(f"DELETE FROM {table} WHERE {where}")  # noqa: S608
        if wanted:
            store.insert(table, rows.columns(table))
        rewritten += len(wanted)
    return rewritten
