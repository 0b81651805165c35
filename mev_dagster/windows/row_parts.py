"""The rows of logged events, by table: as columns for the store, as dictionaries for whoever reads a few.

Tables with a row per event are kept as Arrow columns from the log to the store; a row becomes Python values
only when somebody asks for it. Tables with a row per block are kept as dictionaries, because later events
may revise them.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from mev_dagster.store.tables import TABLES
from mev_dagster.windows.checkpoints import Checkpoint
from mev_dagster.windows.log_writer import as_columns

Row = dict[str, Any]


@dataclass(slots=True)
class Piece:
    """Rows of one table, from consecutive events of one window; `number` is that window's, where they say it.

    The number is a guess until the window's head is seen, so it is kept beside the columns.
    """

    rows: pa.RecordBatch
    number: int | None


class RowPart(Mapping[str, list[Row]]):
    """Rows by table. Reading a table as a mapping gives its rows as dictionaries."""

    def __init__(self, log_id: str = "") -> None:
        self._log_id = log_id
        self._pieces: dict[str, list[Piece]] = defaultdict(list)
        self._rows: dict[str, list[Row]] = defaultdict(list)
        self._read: dict[str, list[Row]] = {}  # rows of pieces that somebody has asked for

    def add(self, table: str, piece: Piece) -> None:
        """Take rows as columns."""
        self._pieces[table].append(piece)
        self._read.pop(table, None)

    def append(self, table: str, row: Row) -> None:
        """Take one row."""
        self._rows[table].append(row)

    def put(self, table: str, rows: Sequence[Row]) -> None:
        """Take these rows in the place of all others of a table."""
        self._rows[table] = list(rows)

    def count(self, table: str) -> int:
        """Return the number of rows of a table."""
        in_pieces: int = sum(piece.rows.num_rows for piece in self._pieces.get(table, ()))
        return in_pieces + len(self._rows.get(table, ()))

    def columns(self, table: str) -> dict[str, Any]:
        """Return a table's rows as columns that the store takes; none where there are no rows."""
        if table in self._rows:
            return as_columns(self._rows[table])
        pieces = self._pieces.get(table, [])
        if not pieces:
            return {}
        rows = pa.concat_batches([piece.rows for piece in pieces])
        columns: dict[str, Any] = dict(zip(rows.schema.names, rows.columns, strict=True))
        columns["log_id"] = pa.repeat(pa.scalar(self._log_id), rows.num_rows)
        numbers = [piece.number for piece in pieces]
        if None not in numbers:
            lengths = [piece.rows.num_rows for piece in pieces]
            columns["window_number"] = pa.array(np.repeat(np.array(numbers, np.uint64), lengths))
        return columns

    def seqs(self, table: str) -> list[int]:
        """Return the sequence numbers of a table's rows."""
        values = self.columns(table).get("seq", [])
        found: list[int] = values.to_pylist() if isinstance(values, pa.Array) else list(values)
        return found

    def __getitem__(self, table: str) -> list[Row]:
        if table in self._rows or table not in self._pieces:
            return self._rows.get(table, [])
        if table not in self._read:
            spec, columns = TABLES[table], self.columns(table)
            values = [spec[name].type.decode(column) for name, column in columns.items()]
            self._read[table] = [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]
        return self._read[table]

    def __iter__(self) -> Iterator[str]:
        return (table for table in {**self._pieces, **self._rows} if self.count(table))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(slots=True)
class Rows:
    """Rows by table: `written` for the first time, `revised` to replace one with the same key or event.

    `checkpoints` are those of the windows that closed meanwhile.
    """

    written: RowPart = field(default_factory=RowPart)
    revised: RowPart = field(default_factory=RowPart)
    checkpoints: list[Checkpoint] = field(default_factory=list)

    def columns(self, table: str) -> dict[str, Any]:
        """Return the rows written to a table as columns."""
        return self.written.columns(table)

    @property
    def count(self) -> int:
        """Number of rows in all tables."""
        return sum(part.count(table) for part in (self.written, self.revised) for table in part)
