"""Blocks that fell through get their run in the cold lane; what no log holds is recorded as an alert."""

import dagster as dg

from assets.partitions import blocks
from mev_dagster.blockrun.gaps import missing, record_lost, run_key, unsearched
from mev_dagster.blockrun.new_windows import NewWindow
from mev_dagster.blockrun.run_tags import BLOCK_PARTITIONS, BLOCK_TAG, COLD, LANE_TAG
from mev_dagster.errors import MevError
from resources.store import service_store
from sensors.jobs import backfill_blocks
from sensors.unfinished import blocks_under_way

EVERY_SECONDS = 30
RUNS_PER_TICK = 16


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
    known = set(context.instance.get_dynamic_partitions(BLOCK_PARTITIONS))
    added = [key for key in dict.fromkeys(window.partition for window in told) if key not in known]
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=run_key(window),
                partition_key=window.partition,
                tags={**window.tags(), LANE_TAG: COLD},
            )
            for window in told
        ],
        dynamic_partitions_requests=[blocks.build_add_request(added)] if added else [],
    )


def _requested(instance: dg.DagsterInstance, window: NewWindow) -> bool:
    """Whether this window's gap has had its run already."""
    filters = dg.RunsFilter(tags={"dagster/run_key": run_key(window), BLOCK_TAG: window.partition})
    return instance.get_runs_count(filters) > 0
