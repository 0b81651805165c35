"""What the store holds of one event log, read back in the log's order for a replay to compare."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from mev_dagster.store.sql import literal, quoted
from mev_dagster.store.tables import TABLES
from mev_dagster.windows.log_writer import LogWriter

if TYPE_CHECKING:
    from mev_dagster.store.client import Store


class StoredCheckpoint(NamedTuple):
    """The digests a run stored for the window that event `seq` closes."""

    seq: int
    block_number: int
    event_digest: bytes
    row_digest: bytes


class StoredLog:
    """Reads one log's rows."""

    def __init__(self, store: "Store", log_id: str) -> None:
        self.log_id = log_id
        self._store = store
        self._of_this_log = f"log_id = {literal(log_id)}"

    @property
    def progress(self) -> int:
        """The last event that is wholly stored, -1 when nothing is."""
        return LogWriter(self._store, self.log_id, ()).progress()

    def other_logs(self) -> list[str]:
        """Return the logs the store does hold."""
        found = self._store.rows("SELECT DISTINCT log_id FROM writer_progress ORDER BY log_id")
        return [str(row[0]) for row in found]

    def rows(
        self, table: str, columns: Sequence[str], order: Sequence[str], first_seq: int, last_seq: int
    ) -> list[tuple[Any, ...]]:
        """Return the rows of events `first_seq` to `last_seq`: order columns, then the asked-for columns."""
        names = ", ".join(quoted(name) for name in (*order, *columns))
        return self._store.rows(
            f"SELECT {names} FROM {quoted(table)} WHERE {self._within(first_seq, last_seq)}"
            f" ORDER BY {', '.join(quoted(name) for name in order)}"
        )

    def columns(
        self, table: str, names: Sequence[str], order: Sequence[str], first_seq: int, last_seq: int
    ) -> dict[str, pa.ChunkedArray]:
        """Return the same rows as columns in the types that an insert sends."""
        found = self._store.query(
            f"SELECT {', '.join(quoted(name) for name in names)} FROM {quoted(table)}"
            f" WHERE {self._within(first_seq, last_seq)} ORDER BY {', '.join(quoted(name) for name in order)}"
        )
        kinds = {name: TABLES[table].arrow_schema().field(name).type for name in names}
        return {name: found.column(name).cast(kind) for name, kind in kinds.items()}

    def first_of_hash(self, tx_hash: bytes, before_seq: int) -> bool:
        """Say whether an earlier event than `before_seq`, or another log, gave this transaction its row."""
        return bool(
            self._store.scalar(
                f"SELECT count() FROM transactions WHERE tx_hash = {literal(tx_hash)}"
                f" AND NOT ({self._of_this_log} AND seq >= {int(before_seq)})"
            )
        )

    def checkpoints(self, run: str, first_seq: int, last_seq: int) -> list[StoredCheckpoint]:
        """Return the checkpoints of a run in order."""
        found = self._store.rows(
            "SELECT seq, block_number, event_digest, row_digest FROM replay_checkpoints"
            f" WHERE {self._within(first_seq, last_seq)} AND run = {literal(run)} ORDER BY seq"
        )
        return [StoredCheckpoint(*row) for row in found]

    def _within(self, first_seq: int, last_seq: int) -> str:
        return f"{self._of_this_log} AND seq BETWEEN {int(first_seq)} AND {int(last_seq)}"


class StoredRun:
    """Reads what one block's run stored."""

    def __init__(self, store: "Store", number: int, block_hash: bytes) -> None:
        self._store, self._number, self._hash = store, number, block_hash

    def rank_digest(self) -> bytes | None:
        """Return the digest of the stored ranking, None when no run has searched the block."""
        found = self._store.rows(
            f"SELECT rank_digest FROM block_runs FINAL WHERE block_number = {int(self._number)}"
            f" AND block_hash = {literal(self._hash)}"
        )
        return bytes(found[0][0]) if found else None

    def rows(self, table: str, columns: Sequence[str], order: Sequence[str]) -> list[tuple[Any, ...]]:
        """Return the block's rows of a table."""
        return self._store.rows(
            f"SELECT {', '.join(quoted(name) for name in columns)} FROM {quoted(table)} FINAL"
            f" WHERE block_number = {int(self._number)} ORDER BY {', '.join(quoted(name) for name in order)}"
        )
