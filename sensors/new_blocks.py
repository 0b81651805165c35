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
from mev_dagster.errors import MevError
from mev_dagster.settings import settings
from mev_dagster.store.client import Store
from resources.store import service_store
from resources.warm_launcher import HOT, LANE_TAG
from sensors.jobs import search_block

WAIT_SECONDS = 20.0
POLL_SECONDS = 0.1
MAX_OUTSTANDING = 12

NEW_WINDOWS_SQL = (package_files.files("sensors") / "new_windows.sql").read_text()


class Cursor(msgspec.Struct, frozen=True):
    """The last window that got its run."""

    log_id: str = ""
    seq: int = -1

    @classmethod
    def parse(cls, text: str | None) -> "Cursor":
        """Read a stored cursor; a corrupted one starts over, which repeats run keys and so repeats no run."""
        try:
            return msgspec.json.decode(text or "{}", type=cls)
        except msgspec.DecodeError:
            return cls()

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
        """Return the request for this block's run; the key is the block's hash, so no block runs twice."""
        return dg.RunRequest(
            run_key=self.block_hash.hex(),
            partition_key=self.partition,
            tags={LANE_TAG: HOT, "mev/block": self.partition, "mev/block_hash": "0x" + self.block_hash.hex()},
        )


def new_windows(store: Store, cursor: Cursor, limit: int) -> list[NewWindow]:
    """Return the oldest windows after the cursor; all of them when the event log is another one."""
    found = store.rows(NEW_WINDOWS_SQL, {"log_id": cursor.log_id, "seq": cursor.seq, "limit": limit})
    return [
        NewWindow(str(log_id), int(seq), int(number), block_hash) for log_id, seq, number, block_hash in found
    ]


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
    room = MAX_OUTSTANDING - outstanding(context.instance)
    if room <= 0:
        return dg.SkipReason(f"{MAX_OUTSTANDING} block runs are still under way")
    cursor = Cursor.parse(context.cursor)
    try:
        with service_store() as store:
            found = wait_for(lambda: new_windows(store, cursor, room), time.monotonic, time.sleep)
    except MevError as error:
        return dg.SkipReason(f"the store does not answer: {error}")
    if not found:
        return dg.SkipReason(f"no new block within {WAIT_SECONDS:.0f} s")
    known = set(context.instance.get_dynamic_partitions("blocks"))
    added = [window.partition for window in found if window.partition not in known]
    expired = expired_keys(known | set(added), settings().blocks_kept)
    requests = [blocks.build_add_request(sorted(set(added), key=int))] if added else []
    return dg.SensorResult(
        run_requests=[window.run_request() for window in found],
        dynamic_partitions_requests=[*requests, *([blocks.build_delete_request(expired)] if expired else [])],
        cursor=Cursor(found[-1].log_id, found[-1].seq).text(),
    )


def outstanding(instance: dg.DagsterInstance) -> int:
    """Count the block runs that have not ended."""
    unfinished = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
    return instance.get_runs_count(dg.RunsFilter(job_name=search_block.name, statuses=unfinished))


def expired_keys(keys: set[str], kept: int) -> list[str]:
    """Return the block keys that fall out of the rolling window behind the newest."""
    numbers = sorted(int(key) for key in keys)
    return [str(number) for number in numbers if number <= numbers[-1] - kept]
