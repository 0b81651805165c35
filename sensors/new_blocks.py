"""One run per new block.

The sensor waits inside its tick for the next closed window, so a block's run is requested within a poll of
the daemon storing it instead of at Dagster's next five-second pass. Its cursor is the window's place in the
event log; a reorg closes a window again further on, so the new block of an old number gets its own run.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources as package_files

import dagster as dg
import msgspec

from assets.partitions import blocks
from mev_dagster.blockrun.run_tags import BLOCK_HASH_TAG, BLOCK_TAG, CAPTURE_TAG, HOT, LANE_TAG, WINDOW_TAG
from mev_dagster.errors import MevError
from mev_dagster.hexadecimal import to_hex
from mev_dagster.settings import settings
from mev_dagster.store.client import Store
from mev_dagster.windows.canonical_chain import BLOCKS_REMEMBERED
from resources.runtime.instance_retention import expired_keys
from resources.store import service_store
from sensors.jobs import search_block
from sensors.unfinished import unfinished

WAIT_SECONDS = 20.0
POLL_SECONDS = 0.1
MAX_OUTSTANDING = 12

NEW_WINDOWS_SQL = (package_files.files("sensors") / "new_windows.sql").read_text()
LAST_RUN_SQL = (package_files.files("sensors") / "last_run.sql").read_text()


class Cursor(msgspec.Struct, frozen=True):
    """The last window that got its run."""

    log_id: str = ""
    seq: int = -1
    number: int = 0

    @property
    def oldest(self) -> int:
        """Return the lowest block number that may come behind it: a reorg goes back some blocks."""
        return max(self.number - BLOCKS_REMEMBERED, 0)

    @classmethod
    def parse(cls, text: str | None) -> "Cursor | None":
        """Read a stored cursor; None where there is none or it is corrupted."""
        try:
            return msgspec.json.decode(text, type=cls) if text else None
        except msgspec.DecodeError:
            return None

    def text(self) -> str:
        """Return the cursor as Dagster stores it."""
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

    def run_request(self) -> dg.RunRequest:
        """Return the request for this block's run.

        The key is the block's hash and its window's place in the log: no window runs twice, and a block
        that a reorg took away and another one brought back runs again.
        """
        return dg.RunRequest(
            run_key=f"{self.block_hash.hex()}:{self.seq}",
            partition_key=self.partition,
            tags={LANE_TAG: HOT, **self.tags()},
        )

    def tags(self) -> dict[str, str]:
        """Return what the run is about, as run tags."""
        capture = settings().capture
        return {
            BLOCK_TAG: self.partition,
            BLOCK_HASH_TAG: to_hex(self.block_hash),
            WINDOW_TAG: f"{self.log_id}:{self.seq}",
            **({CAPTURE_TAG: capture.name} if capture else {}),
        }


def new_windows(store: Store, cursor: Cursor, limit: int) -> list[NewWindow]:
    """Return the oldest windows after the cursor; all of them when the event log is another one."""
    found = store.rows(NEW_WINDOWS_SQL, {
        "log_id": cursor.log_id, "seq": cursor.seq, "oldest": cursor.oldest, "limit": limit
    })  # fmt: skip
    return [
        NewWindow(str(log_id), int(seq), int(number), block_hash) for log_id, seq, number, block_hash in found
    ]


def last_run(store: Store) -> Cursor:
    """Return the newest window whose block has been searched: where to go on without a cursor.

    Older blocks that had no run are the gap sensor's; run keys keep every window from running twice.
    """
    found = store.rows(LAST_RUN_SQL)
    return Cursor(str(found[0][0]), int(found[0][1])) if found else Cursor()


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


@dg.sensor(
    job=search_block,
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests one run per new block, as soon as the daemon has stored its window.",
)
def new_blocks(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Request the runs of the blocks that arrived, and keep the partitions to a rolling window."""
    room = MAX_OUTSTANDING - unfinished(context.instance, search_block.name)
    if room <= 0:
        return dg.SkipReason(f"{MAX_OUTSTANDING} block runs are still under way")
    cursor = Cursor.parse(context.cursor)
    try:
        with service_store() as store:
            if cursor is None:
                cursor = last_run(store)
                context.log.info(f"no usable cursor ({context.cursor!r}): going on behind {cursor.text()}")
            after = cursor
            found = wait_for(lambda: new_windows(store, after, room), time.monotonic, time.sleep)
    except MevError as error:
        return dg.SkipReason(f"the store does not answer: {error}")
    if not found:
        return dg.SkipReason(f"no new block within {WAIT_SECONDS:.0f} s")
    known = context.instance.get_dynamic_partitions("blocks")
    added = [key for key in dict.fromkeys(window.partition for window in found) if key not in set(known)]
    expired = expired_keys([*known, *added], settings().dagster.blocks_kept)
    return dg.SensorResult(
        run_requests=[window.run_request() for window in found],
        dynamic_partitions_requests=[
            *([blocks.build_add_request(added)] if added else []),
            *([blocks.build_delete_request(expired)] if expired else []),
        ],
        cursor=Cursor(found[-1].log_id, found[-1].seq, found[-1].number).text(),
    )
