"""One run per new block.

The sensor waits inside its tick for the next closed window, so a block's run is requested within a poll of
the daemon storing it instead of at Dagster's next five-second pass.
"""

import time

import dagster as dg

from assets.partitions import blocks
from mev_dagster.blockrun.new_windows import (
    WAIT_SECONDS,
    NewWindow,
    WindowCursor,
    last_run,
    new_windows,
    wait_for,
)
from mev_dagster.blockrun.run_tags import BLOCK_PARTITIONS, HOT, LANE_TAG
from mev_dagster.blockrun.source_code import loaded
from mev_dagster.errors import MevError
from mev_dagster.platform.dagster_home import worker_socket
from mev_dagster.settings import settings
from resources.runtime.instance_retention import expired_keys
from resources.runtime.warm_protocol import tell_code
from resources.store import service_store
from sensors.jobs import search_block
from sensors.unfinished import unfinished

MAX_OUTSTANDING = 12


def run_request(window: NewWindow) -> dg.RunRequest:
    """Return the request for a new block's run."""
    return dg.RunRequest(
        run_key=window.run_key, partition_key=window.partition, tags={LANE_TAG: HOT, **window.tags()}
    )


@dg.sensor(
    job=search_block,
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests one run per new block, as soon as the daemon has stored its window.",
)
def new_blocks(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Request the runs of the blocks that arrived, and keep the partitions to a rolling window."""
    config = settings()
    tell_code(str(worker_socket(config)), loaded())  # a worker of other code begins anew before it has a head
    room = MAX_OUTSTANDING - unfinished(context.instance, search_block.name)
    if room <= 0:
        return dg.SkipReason(f"{MAX_OUTSTANDING} block runs are still under way")
    cursor = WindowCursor.parse(context.cursor)
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
    known = context.instance.get_dynamic_partitions(BLOCK_PARTITIONS)
    added = [key for key in dict.fromkeys(window.partition for window in found) if key not in set(known)]
    expired = expired_keys([*known, *added], config.dagster.blocks_kept)
    return dg.SensorResult(
        run_requests=[run_request(window) for window in found],
        dynamic_partitions_requests=[
            *([blocks.build_add_request(added)] if added else []),
            *([blocks.build_delete_request(expired)] if expired else []),
        ],
        cursor=WindowCursor(found[-1].log_id, found[-1].seq, found[-1].number).text(),
    )
