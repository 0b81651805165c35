"""One window's rows in the store: there already, or written again from the log.

The daemon's feeder writes the same rows. Two writers of one window would leave rows twice, so whoever comes
here waits until the feeder has passed the window, which it does within milliseconds when it lives. A feeder
that is gone or far behind is not waited for: when it comes back it first removes what lies past its own
recorded progress (`mev_dagster.windows.log_writer`), so nothing stays twice either way.
"""

import time
from collections.abc import Callable

from mev_dagster.store.client import Store
from mev_dagster.store.sql import conditions, literal, quoted
from mev_dagster.store.tables import TABLES
from mev_dagster.windows.log_writer import PROGRESS_TABLE
from mev_dagster.windows.rivals import settle
from mev_dagster.windows.rows import INGEST_TABLES, Rows

FEEDER_SECONDS = 5.0
"""How long the feeder may take from a window's last row to recording that it passed it."""
POLL_SECONDS = 0.05


def ensure_window(
    store: Store,
    rows: Rows,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Make the store hold exactly these rows of a window; return how many had to be written again.

    The daemon has usually stored them; then this only counts. What differs in number is written anew, so a
    store that was dropped, pruned or half-filled is repaired by running the window again.
    """
    (window,) = rows.written["ingest_windows"]
    found = _found(store, rows)
    deadline = clock() + FEEDER_SECONDS
    while 0 < found[PROGRESS_TABLE] < window["last_seq"] and clock() < deadline:
        sleep(POLL_SECONDS)
        found = _found(store, rows)
    rewritten = 0
    if found["blocks"] != rows.written.count("blocks"):
        settle(store, rows)
    for table in INGEST_TABLES:
        wanted = rows.written.get(table, [])
        if found[table] == len(wanted):
            continue
        store.delete_where(table, _of_window(rows, table))
        if wanted:
            store.insert(table, rows.columns(table))
        rewritten += len(wanted)
    return rewritten


def _found(store: Store, rows: Rows) -> dict[str, int]:
    """Return how many rows of the window each table holds and how far the feeder is, in one statement."""
    (window,) = rows.written["ingest_windows"]
    asked = []
    for table in INGEST_TABLES:
        # The sorting key begins with the block: a count by event alone would read the whole table.
        of_block = conditions(TABLES[table], {str(TABLES[table].block_column): window["block_number"]})
        asked.append(f"count() FROM {quoted(table)} FINAL WHERE {of_block} AND {_of_window(rows, table)}")
    of_log = f"log_id = {literal(window['log_id'])}"
    asked.append(f"max(seq) FROM {quoted(PROGRESS_TABLE)} WHERE {of_log}")
    [found] = store.rows("SELECT " + ", ".join(f"(SELECT {one})" for one in asked))
    return dict(zip((*INGEST_TABLES, PROGRESS_TABLE), (int(value or 0) for value in found), strict=True))


def _of_window(rows: Rows, table: str) -> str:
    """Return the condition that a table's rows are of this window."""
    (window,) = rows.written["ingest_windows"]
    if table == "ingest_windows":
        of_block = {name: window[name] for name in ("block_number", "block_hash")}
        return conditions(TABLES[table], of_block)
    span = f"seq BETWEEN {int(window['first_seq'])} AND {int(window['last_seq'])}"
    return f"log_id = {literal(window['log_id'])} AND {span}"
