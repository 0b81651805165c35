"""Blocks that fell through get their run in the cold lane; what no log holds is recorded as an alert."""

import time

import dagster as dg

from assets.partitions import blocks
from mev_dagster.blockrun.gaps import gap_of, is_due, missing, record_lost, run_key, unsearched
from mev_dagster.blockrun.new_windows import NewWindow
from mev_dagster.blockrun.run_tags import BLOCK_PARTITIONS, COLD, GAP_TAG, LANE_TAG, RETRY_OF_TAG
from mev_dagster.errors import MevError
from resources.store import service_store
from sensors.jobs import backfill_blocks
from sensors.unfinished import blocks_under_way

EVERY_SECONDS = 30
RUNS_PER_TICK = 16
LOOKED_AT = 256
RECORDS = 256


@dg.sensor(
    job=backfill_blocks,
    minimum_interval_seconds=EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests cold runs for blocks that have a window and no result, or no window at all.",
)
def gaps(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Find what fell through and request its runs; one whose attempts are used up gets another round."""
    busy = blocks_under_way(context.instance)
    room = RUNS_PER_TICK - len(busy)
    if room <= 0:
        return dg.SkipReason(f"{len(busy)} blocks are under way; gaps wait for room")
    try:
        with service_store() as store:
            found = unsearched(store, LOOKED_AT)
            restorable, lost = missing(store)
            if lost:
                record_lost(store, lost)
    except MevError as error:
        return dg.SkipReason(f"the store does not answer: {error}")
    windows = [one for one in (*found, *restorable) if one.partition not in busy]
    told: dict[NewWindow, int] = {}
    for window in windows:  # those that wait for their next round keep no place of the others
        had, ended_ago = _rounds(context.instance, window)
        if is_due(had, ended_ago):
            told[window] = had
        if len(told) == room:
            break
    never_seen = f"; the log never saw {', '.join(map(str, lost))}" if lost else ""
    if not told:
        waiting = f"{len(windows)} have had their run" if windows else "none fell through"
        return dg.SkipReason(f"every stored window has its result or its run: {waiting}{never_seen}")
    known = set(context.instance.get_dynamic_partitions(BLOCK_PARTITIONS))
    added = [key for key in dict.fromkeys(window.partition for window in told) if key not in known]
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=run_key(window, told[window]),
                partition_key=window.partition,
                tags={**window.tags(), LANE_TAG: COLD, GAP_TAG: gap_of(window)},
            )
            for window in told
        ],
        dynamic_partitions_requests=[blocks.build_add_request(added)] if added else [],
    )


def _rounds(instance: dg.DagsterInstance, window: NewWindow) -> tuple[int, float]:
    """Return how many rounds a window's gap has had, and how many seconds ago its last attempt changed."""
    records = instance.get_run_records(dg.RunsFilter(tags={GAP_TAG: gap_of(window)}), limit=RECORDS)
    rounds = sum(RETRY_OF_TAG not in record.dagster_run.tags for record in records)
    if not records:
        return 0, 0.0
    last = max(record.update_timestamp.timestamp() for record in records)
    return max(rounds, 1), max(0.0, time.time() - last)
