"""What a log says against what a store holds of it: every row, then the live path's own digests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from mev_dagster.events.reader import EventLogReader
from mev_dagster.replay.run import ReplayBatch
from mev_dagster.replay.stored import StoredLog
from mev_dagster.windows.checkpoints import LIVE, Checkpoint
from mev_dagster.windows.checkpoints import TABLE as CHECKPOINT_TABLE
from mev_dagster.windows.rows import WINDOW_TABLES, Row, RowPart

Key = tuple[int, ...]

# What identifies a row of one log: its event, and its place where an event makes several.
ORDER: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(WINDOW_TABLES, ("seq",)),
    "block_txs": ("seq", "tx_index"),
    "blocks": ("seq",),
    "ingest_windows": ("seq",),
}
REVISED_TABLES = ("blocks", "ingest_windows")  # a later event may still change their rows
SETTLED_EVENTS = 200_000  # how far behind the end their rows are compared: no reorg reaches back so far


@dataclass(frozen=True, slots=True)
class Divergence:
    """A place where log and store disagree: `expected` is the log's value, `found` the store's."""

    seq: int
    table: str
    column: str
    expected: Any
    found: Any
    explanation: str
    event: str = ""


class Comparison:
    """Compares the batches of one replay with what a store holds."""

    def __init__(self, stored: StoredLog) -> None:
        self.rows_compared = self.rows_equal = 0
        self.checkpoints_compared = self.checkpoints_equal = 0
        self._stored = stored
        self._first: Divergence | None = None
        self._revisable: dict[str, dict[tuple[int, bytes], Row]] = {table: {} for table in REVISED_TABLES}
        self._settled_seq = -1

    @property
    def compared(self) -> int:
        """Number of rows and checkpoints compared."""
        return self.rows_compared + self.checkpoints_compared

    @property
    def equal(self) -> int:
        """Number of those that are equal."""
        return self.rows_equal + self.checkpoints_equal

    def first_divergence(self, reader: EventLogReader) -> Divergence | None:
        """Return the earliest divergence with the event it is about, None when everything is equal."""
        if self._first is None:
            return None
        event = next(iter(reader.read(self._first.seq)))
        return replace(self._first, event=repr(event))

    def push(self, batch: ReplayBatch) -> None:
        """Compare the next batch."""
        written = batch.rows.written
        for table in (*WINDOW_TABLES, "block_txs"):
            if self._equal_columns(table, written, batch.first_seq, batch.last_seq):
                self.rows_compared += written.count(table)
                self.rows_equal += written.count(table)
            else:
                self._compare(table, written[table], batch.first_seq, batch.last_seq)
        for table in REVISED_TABLES:
            for row in (*batch.rows.written.get(table, ()), *batch.rows.revised.get(table, ())):
                self._revisable[table][row["block_number"], row["block_hash"]] = row
        self._settle(batch.last_seq - SETTLED_EVENTS)
        self._compare_checkpoints(batch.rows.checkpoints, batch.first_seq, batch.last_seq)

    def finish(self, last_seq: int) -> None:
        """Compare what could have been revised up to the end."""
        self._settle(last_seq)

    def _equal_columns(self, table: str, written: RowPart, first_seq: int, last_seq: int) -> bool:
        """Compare whole columns. Where one differs, the rows say which value it is."""
        expected = {name: values for name, values in written.columns(table).items() if name != "log_id"}
        found = self._stored.columns(table, [*expected] or ["seq"], ORDER[table], first_seq, last_seq)
        if not expected:
            return len(found["seq"]) == 0
        return all(found[name].equals(pa.chunked_array([values])) for name, values in expected.items())

    def _settle(self, last_seq: int) -> None:
        if last_seq <= self._settled_seq:
            return
        for table, rows in self._revisable.items():
            due = {key: row for key, row in rows.items() if row["seq"] <= last_seq}
            for key in due:
                del rows[key]
            self._compare(table, list(due.values()), self._settled_seq + 1, last_seq)
        self._settled_seq = last_seq

    def _compare(self, table: str, rows: Sequence[Row], first_seq: int, last_seq: int) -> None:
        order = ORDER[table]
        expected = {tuple(row[name] for name in order): row for row in rows}
        columns = tuple(name for name in rows[0] if name != "log_id") if rows else ()
        found: dict[Key, tuple[Any, ...]] = {}
        for values in self._stored.rows(table, columns, order, first_seq, last_seq):
            key = values[: len(order)]
            if key in found:
                self._note(Divergence(key[0], table, "", None, values, "the store holds the row twice"))
            found[key] = values[len(order) :]
        for key in sorted(expected.keys() | found.keys()):
            if table == "transactions" and key not in found and self._stored_before(expected[key]):
                continue
            self.rows_compared += 1
            self.rows_equal += self._equal(table, columns, key, expected.get(key), found.get(key))

    def _stored_before(self, row: Row) -> bool:
        """Say whether a body was logged again: the store keeps the first row of a hash."""
        return self._stored.first_of_hash(row["tx_hash"], row["seq"])

    def _equal(
        self, table: str, columns: Sequence[str], key: Key, row: Row | None, values: tuple[Any, ...] | None
    ) -> bool:
        if row is None:
            self._note(Divergence(key[0], table, "", None, values, "the log gives no such row"))
            return False
        if values is None:
            wanted = tuple(row[name] for name in columns)
            self._note(Divergence(key[0], table, "", wanted, None, "the store lacks the row"))
            return False
        for name, value in zip(columns, values, strict=True):
            if row[name] != value:
                self._note(Divergence(key[0], table, name, row[name], value, "the values differ"))
                return False
        return True

    def _compare_checkpoints(self, own: Sequence[Checkpoint], first_seq: int, last_seq: int) -> None:
        expected = {checkpoint.seq: checkpoint for checkpoint in own}
        for stored in self._stored.checkpoints(LIVE, first_seq, last_seq):
            self.checkpoints_compared += 1
            checkpoint = expected.get(stored.seq)
            if checkpoint is None:
                why = "the live path closed a window here, the log does not"
                self._note(Divergence(stored.seq, CHECKPOINT_TABLE, "", None, stored.block_number, why))
            elif checkpoint.event_digest != stored.event_digest:
                why = (
                    f"the events of window {stored.block_number} are not those the live path saw; where all "
                    "rows are equal, it is an event or a field that makes no row"
                )
                values = (checkpoint.event_digest, stored.event_digest)
                self._note(Divergence(stored.seq, CHECKPOINT_TABLE, "event_digest", *values, why))
            elif checkpoint.row_digest != stored.row_digest:
                why = f"the same events of window {stored.block_number} gave the live path other rows"
                values = (checkpoint.row_digest, stored.row_digest)
                self._note(Divergence(stored.seq, CHECKPOINT_TABLE, "row_digest", *values, why))
            else:
                self.checkpoints_equal += 1

    def _note(self, divergence: Divergence) -> None:
        if self._first is None or divergence.seq < self._first.seq:
            self._first = divergence
