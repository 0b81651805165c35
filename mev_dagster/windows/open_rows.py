"""The rows of the window that is still open: few in memory, many in a file that has no name.

They wait for their head, which numbers them and whose digest covers them. A window of a quiet chain is some
kilobytes, one that somebody floods is as large as he likes; what a file holds the kernel keeps or drops.
"""

import tempfile

import pyarrow as pa

from mev_dagster.units import MIB

HELD_BYTES = 8 * MIB


class OpenRows:
    """Holds record batches until they are let go, the first ones in memory."""

    def __init__(self, held_bytes: int = HELD_BYTES) -> None:
        self._limit = held_bytes
        self.held_bytes = 0

    def hold(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Return the same rows, mapped from a file where memory holds enough of the window already."""
        if self.held_bytes + rows.nbytes <= self._limit:
            self.held_bytes += rows.nbytes
            return rows
        return _mapped(rows)

    def let_go(self) -> None:
        """Begin a new window."""
        self.held_bytes = 0


def _mapped(rows: pa.RecordBatch) -> pa.RecordBatch:
    with tempfile.NamedTemporaryFile(prefix="mev-window-") as file:
        with pa.OSFile(file.name, "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
            writer.write_batch(rows)
        # The mapping keeps the file's bytes when its name is gone.
        return pa.ipc.open_file(pa.memory_map(file.name, "rb")).get_batch(0)
