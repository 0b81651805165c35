"""The rows of one event log: written in log order, with the place reached kept beside them.

Every row names its log and its event. Taking up work again first removes what a killed run wrote past its
recorded progress, so no event is ever in a table twice, with or without FINAL.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from mev_dagster.store.sql import literal, quoted
from mev_dagster.store.tables import TABLES
from mev_dagster.units import NS_PER_DAY

if TYPE_CHECKING:
    from mev_dagster.store.client import Store

PROGRESS_TABLE = "writer_progress"
_SEQS_IN_A_STATEMENT = 8_192  # a statement of ClickHouse's holds 256 KiB
LOOK_BACK_NS = 3 * NS_PER_DAY

Row = Mapping[str, Any]


class LogWriter:
    """Writes one log's rows. One writer a log at a time."""

    def __init__(self, store: "Store", log_id: str, tables: Sequence[str]) -> None:
        self._store = store
        self.log_id = log_id
        self._tables = tables
        self._of_this_log = f"log_id = {literal(log_id)}"

    def progress(self) -> int:
        """Return the last event that is wholly stored, -1 before the first."""
        [(count, seq)] = self._store.rows(
            f"SELECT count(), max(seq) FROM {PROGRESS_TABLE} WHERE {self._of_this_log}"
        )
        return int(seq) if count else -1

    def resume(self) -> int:
        """Remove rows past the recorded progress and return that."""
        stored = self.progress()
        for table in self._tables:
            condition = f"{self._of_this_log} AND seq > {stored}"
            if self._store.scalar(f"SELECT count() FROM {quoted(table)} WHERE {condition}"):
                self._store.delete_where(table, condition)
        return stored

    def newest_windows(self, limit: int) -> list[tuple[int, int]]:
        """Return (first_seq, last_seq) of the newest ingest windows of this log, newest first."""
        return [
            (int(first), int(last))
            for first, last in self._store.rows(
                f"SELECT first_seq, last_seq FROM ingest_windows WHERE {self._of_this_log}"
                f" ORDER BY last_seq DESC LIMIT {int(limit)}"
            )
        ]

    def write(self, table: str, columns: Mapping[str, Sequence[Any]]) -> int:
        """Append rows given as columns."""
        return self._store.insert(table, columns) if columns else 0

    def write_transactions(self, columns: Mapping[str, Sequence[Any]]) -> int:
        """Append the transactions that were not stored during the days before: their first row stays.

        A body is logged again only when its hash was long forgotten; looking back further than a pool keeps
        a transaction would read a table of months for nothing.
        """
        if not columns:
            return 0
        since = _earliest(columns["first_seen_at"]) - LOOK_BACK_NS
        return self._store.insert_new("transactions", columns, key="tx_hash", since=since)

    def forget(self, table: str, seqs: Sequence[int]) -> None:
        """Remove the rows of these events, whatever their sorting key is."""
        for start in range(0, len(seqs), _SEQS_IN_A_STATEMENT):
            some = ", ".join(str(int(seq)) for seq in seqs[start : start + _SEQS_IN_A_STATEMENT])
            self._store.delete_where(table, f"{self._of_this_log} AND seq IN ({some})")

    def forget_span(self, table: str, numbers: tuple[int, int], seqs: tuple[int, int]) -> None:
        """Remove the rows of a span of events; their block numbers begin the sorting key: no full read."""
        condition = (
            f"{quoted(str(TABLES[table].block_column))} BETWEEN {int(numbers[0])} AND {int(numbers[1])}"
            f" AND {self._of_this_log} AND seq BETWEEN {int(seqs[0])} AND {int(seqs[1])}"
        )
        if self._store.scalar(f"SELECT count() FROM {quoted(table)} WHERE {condition}"):
            self._store.delete_where(table, condition)

    def revise_by_key(self, table: str, rows: Sequence[Row], key: Sequence[str]) -> int:
        """Put each row in the place of that with the same key."""
        return sum(
            self._store.replace(table, {name: row[name] for name in key}, as_columns([row])) for row in rows
        )

    def advance(self, seq: int) -> None:
        """Record that every event up to `seq` is stored."""
        self._store.insert(PROGRESS_TABLE, {"log_id": [self.log_id], "seq": [seq]})


def _earliest(times: Sequence[Any]) -> int:
    if isinstance(times, pa.Array):
        return int(pc.min(times.cast(pa.int64())).as_py())
    return min(map(int, times))


def as_columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Turn rows of one table into columns."""
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
