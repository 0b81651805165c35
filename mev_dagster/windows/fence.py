"""Who may write the rows of a block: one run at a time, and only while its block stands.

    fence = BlockFence(span, reader.directory, locks)
    with fence.held():            # raises Superseded once the log has reverted the block
        store.replace(...)

Both together decide every race. A run of the replacing block starts after the revert was logged; whoever
held the lock before wrote before, and whoever asks for it later is told that its block is gone. The lock is
the kernel's: a killed process gives it back.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mev_dagster.errors import Superseded
from mev_dagster.events.reader import LogCursor
from mev_dagster.events.types import BlockReverted, BlockSeen
from mev_dagster.hexadecimal import to_hex
from mev_dagster.windows.log_windows import WindowSpan, of_chain

LOCK_FILES = 256  # blocks share them by number, so that they need no cleaning up


class BlockFence:
    """Guards the writes of one run of one block."""

    def __init__(self, span: WindowSpan, log_directory: Path, locks: Path) -> None:
        self._span = span
        self._cursor = LogCursor(log_directory, span.last_seq + 1)
        self._lock = locks / f"block-{span.number % LOCK_FILES}.lock"
        self._reverted = False
        self._successor: bytes | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the block's lock; raise `Superseded` when the block no longer stands."""
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self.check()
            yield
        finally:
            os.close(descriptor)

    def check(self) -> None:
        """Read on in the log; raise `Superseded` when it has reverted the block since."""
        for event in (one for batch in self._cursor.batches() for one in of_chain(batch).events()):
            if isinstance(event, BlockReverted):
                self._reverted = self._reverted or event.block_hash == self._span.block_hash
            elif isinstance(event, BlockSeen) and self._reverted and event.number == self._span.number:
                self._successor = event.block_hash
        if self._reverted:
            raise superseded(self._span.number, self._span.block_hash, self._successor)


def superseded(number: int, block_hash: bytes, successor: bytes | None) -> Superseded:
    """Say that a block lost its place, and to which block where that is known."""
    by = f"{to_hex(successor)} took its place" if successor else "no block has taken its place yet"
    return Superseded(
        f"block {number} {to_hex(block_hash)} was reverted and {by}; the rows of this block are left to "
        "the run of its successor"
    )
