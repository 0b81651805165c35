"""Blocks that fell through: windows without a result, and numbers without a window.

A window without a result, where a later one has its own, gets a run in the cold lane; what nothing has
overtaken yet is still the hot lane's. A number without a window gets one when the log has
that window, which the run then writes again; what the log never saw is recorded as an alert.
"""

import hashlib
import json
import time
from importlib import resources as package_files

import dagster as dg

from assets.partitions import blocks
from mev_dagster.blockrun.run_tags import BLOCK_TAG, COLD, LANE_TAG
from mev_dagster.errors import InputError, MevError
from mev_dagster.events.reader import EventLogReader
from mev_dagster.settings import settings
from mev_dagster.store.client import Store
from mev_dagster.windows.log_windows import find_window, log_identity
from resources.store import service_store
from sensors.jobs import backfill_blocks
from sensors.new_blocks import NewWindow
from sensors.unfinished import blocks_under_way

UNSEARCHED_SQL = (package_files.files("sensors") / "unsearched_windows.sql").read_text()
MISSING_SQL = (package_files.files("sensors") / "missing_windows.sql").read_text()
EVERY_SECONDS = 30
GRACE_SECONDS = 60
"""The hot lane has this long before its blocks count as fallen through."""
RUNS_PER_TICK = 16
LOOKED_FOR_PER_TICK = 8


@dg.sensor(
    job=backfill_blocks,
    minimum_interval_seconds=EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests cold runs for blocks that have a window and no result, or no window at all.",
)
def gaps(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Find what fell through and request its runs; each window gets one, its retries are `failed_runs`'."""
    busy = blocks_under_way(context.instance)
    room = RUNS_PER_TICK - len(busy)
    if room <= 0:
        return dg.SkipReason(f"{len(busy)} blocks are under way; gaps wait for room")
    try:
        with service_store() as store:
            found = unsearched(store, RUNS_PER_TICK + len(busy))
            restorable, lost = missing(store)
            if lost:
                record_lost(store, lost)
    except MevError as error:
        return dg.SkipReason(f"the store does not answer: {error}")
    windows = [one for one in (*found, *restorable) if one.partition not in busy][:room]
    told = [window for window in windows if not _requested(context.instance, window)]
    never_seen = f"; the log never saw {', '.join(map(str, lost))}" if lost else ""
    if not told:
        waiting = f"{len(windows)} have had their run" if windows else "none fell through"
        return dg.SkipReason(f"every stored window has its result or its run: {waiting}{never_seen}")
    known = set(context.instance.get_dynamic_partitions("blocks"))
    added = [key for key in dict.fromkeys(window.partition for window in told) if key not in known]
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=_key(window), partition_key=window.partition, tags={**window.tags(), LANE_TAG: COLD}
            )
            for window in told
        ],
        dynamic_partitions_requests=[blocks.build_add_request(added)] if added else [],
    )


def unsearched(store: Store, limit: int) -> list[NewWindow]:
    """Return windows whose block has no result after the grace time."""
    found = store.rows(
        UNSEARCHED_SQL, {"seconds": GRACE_SECONDS, "limit": limit, "kept": settings().dagster.blocks_kept}
    )
    return [NewWindow(str(log_id), int(seq), int(number), hash_) for log_id, seq, number, hash_ in found]


def missing(store: Store) -> tuple[list[NewWindow], list[int]]:
    """Return the numbers without a window: those the log can restore, and those it never saw."""
    numbers: list[int] = []
    for first, last in store.rows(
        MISSING_SQL, {"limit": LOOKED_FOR_PER_TICK, "kept": settings().dagster.blocks_kept}
    ):
        numbers += range(int(first), min(int(last), int(first) + LOOKED_FOR_PER_TICK) + 1)
    restorable, lost = [], []
    if numbers:
        reader = EventLogReader(settings().events_dir)
        for number in numbers[:LOOKED_FOR_PER_TICK]:
            try:
                span = find_window(reader, number)
            except (InputError, MevError):
                lost.append(number)
            else:
                restorable.append(NewWindow(log_identity(reader), span.last_seq, number, span.block_hash))
    return restorable, lost


def record_lost(store: Store, numbers: list[int]) -> None:
    """Keep an alert row for blocks whose windows no log holds; the same blocks make the same row."""
    labels = json.dumps({"alertname": "MissingWindows", "first_block": str(numbers[0])}, sort_keys=True)
    alert_id = hashlib.sha256(labels.encode()).digest()
    if store.count("alerts", {"alert_id": alert_id}):
        return
    now_ns = time.time_ns()
    store.replace(
        "alerts",
        {"alert_id": alert_id},
        {
            "name": ["MissingWindows"],
            "source": ["gaps"],
            "labels": [labels],
            "summary": [f"no log holds the windows of {len(numbers)} blocks from {numbers[0]} on"],
            "starts_at": [now_ns],
            "received_at": [now_ns],
            "block_numbers": [numbers],
            "action": ["none: what was not seen cannot be searched"],
        },
    )


def _key(window: NewWindow) -> str:
    return f"gap:{window.block_hash.hex()}:{window.seq}"


def _requested(instance: dg.DagsterInstance, window: NewWindow) -> bool:
    """Whether this window's gap has had its run already."""
    filters = dg.RunsFilter(tags={"dagster/run_key": _key(window), BLOCK_TAG: window.partition})
    return instance.get_runs_count(filters) > 0
