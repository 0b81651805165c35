"""Windows that closed and have had no run yet: which they are, and where to go on behind them.

A cursor is a window's place in the event log; a reorg closes a window again further on, so the new block of
an old number is a new window.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

import msgspec

from mev_dagster.blockrun.run_tags import BLOCK_HASH_TAG, BLOCK_TAG, CAPTURE_TAG, WINDOW_TAG
from mev_dagster.hexadecimal import to_hex
from mev_dagster.settings import settings
from mev_dagster.store.client import Store
from mev_dagster.windows.canonical_chain import BLOCKS_REMEMBERED

WAIT_SECONDS = 20.0
POLL_SECONDS = 0.1

_SQL = resources.files("mev_dagster.blockrun")
NEW_WINDOWS_SQL = (_SQL / "new_windows.sql").read_text()
LAST_RUN_SQL = (_SQL / "last_run.sql").read_text()


class WindowCursor(msgspec.Struct, frozen=True):
    """The last window that got its run."""

    log_id: str = ""
    seq: int = -1
    number: int = 0

    @property
    def oldest(self) -> int:
        """Return the lowest block number that may come behind it: a reorg goes back some blocks."""
        return max(self.number - BLOCKS_REMEMBERED, 0)

    @classmethod
    def parse(cls, text: str | None) -> "WindowCursor | None":
        """Read a stored cursor; None where there is none or it is corrupted."""
        try:
            return msgspec.json.decode(text, type=cls) if text else None
        except msgspec.DecodeError:
            return None

    def text(self) -> str:
        """Return the cursor as it is stored."""
        return msgspec.json.encode(self).decode()


@dataclass(frozen=True, slots=True)
class NewWindow:
    """A closed window that has had no run yet."""

    log_id: str
    seq: int
    number: int
    block_hash: bytes

    @property
    def partition(self) -> str:
        """Return the partition key of the block."""
        return str(self.number)

    @property
    def run_key(self) -> str:
        """Return what its run is known by: the block's hash and the window's place in the log.

        No window runs twice, and a block that a reorg took away and another one brought back runs again.
        """
        return f"{self.block_hash.hex()}:{self.seq}"

    def tags(self) -> dict[str, str]:
        """Return what the run is about, as run tags."""
        capture = settings().capture
        return {
            BLOCK_TAG: self.partition,
            BLOCK_HASH_TAG: to_hex(self.block_hash),
            WINDOW_TAG: f"{self.log_id}:{self.seq}",
            **({CAPTURE_TAG: capture.name} if capture else {}),
        }


def new_windows(store: Store, cursor: WindowCursor, limit: int) -> list[NewWindow]:
    """Return the oldest windows after the cursor; all of them when the event log is another one."""
    found = store.rows(NEW_WINDOWS_SQL, {
        "log_id": cursor.log_id, "seq": cursor.seq, "oldest": cursor.oldest, "limit": limit
    })  # fmt: skip
    return [
        NewWindow(str(log_id), int(seq), int(number), block_hash) for log_id, seq, number, block_hash in found
    ]


def last_run(store: Store) -> WindowCursor:
    """Return the newest window whose block has been searched: where to go on without a cursor.

    Older blocks that had no run are the gap sensor's; run keys keep every window from running twice.
    """
    found = store.rows(LAST_RUN_SQL)
    return WindowCursor(str(found[0][0]), int(found[0][1])) if found else WindowCursor()


def wait_for(
    poll: Callable[[], list[NewWindow]], clock: Callable[[], float], sleep: Callable[[float], None]
) -> list[NewWindow]:
    """Poll until there are windows or the wait is over."""
    deadline = clock() + WAIT_SECONDS
    while True:
        found = poll()
        if found or clock() >= deadline:
            return found
        sleep(POLL_SECONDS)
