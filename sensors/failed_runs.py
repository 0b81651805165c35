"""Failed runs of blocks and roll-ups: tried again with growing pauses, then left to a person with an alert.

A run that was superseded is no failure of ours and is left alone. The sensor keeps nothing in its cursor that
it could lose: which runs failed, and which of them were tried again, stands in Dagster's own run table.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from mev_dagster.blockrun.retries import (
    attempt_of,
    is_given_up,
    is_retried,
    next_tags,
    next_tags_of_block,
    pause_seconds,
    raise_alerts,
)
from mev_dagster.blockrun.run_tags import (
    BLOCK_JOBS,
    BLOCK_PARTITIONS,
    ENDED_TAG,
    PARTITION_TAG,
    RANGE_START_TAG,
    RETRY_OF_TAG,
    SUPERSEDED,
)
from mev_dagster.blockrun.stretches import keys_of_range
from mev_dagster.errors import MevError
from resources.store import service_store
from sensors.jobs import backfill_blocks, roll_up_days, roll_up_hours, search_block

EVERY_SECONDS = 10
LOOK_BACK = timedelta(hours=2)
RUNS_PER_TICK = 16
RETRIED_JOBS = (*BLOCK_JOBS, roll_up_hours.name, roll_up_days.name)


def retries(run: dg.DagsterRun, keys: Sequence[str]) -> list[dg.RunRequest]:
    """Return the next attempt of a failed run, in its own lane; of a range each block is tried for itself.

    `keys` are the block keys in Dagster's order, in which a range is read.
    """
    of_range = keys_of_range(run.tags, keys) if run.job_name in BLOCK_JOBS else []
    if len(of_range) > 1:
        return [
            dg.RunRequest(
                run_key=f"retry:{run.run_id}:{key}",
                job_name=run.job_name,
                partition_key=key,
                tags=next_tags_of_block(run, key),
            )
            for key in of_range
        ]
    return [_retry(run)]


def _retry(run: dg.DagsterRun) -> dg.RunRequest:
    tags = next_tags(run)
    return dg.RunRequest(
        run_key=f"retry:{run.run_id}",
        job_name=run.job_name,
        partition_key=None if RANGE_START_TAG in tags else run.tags.get(PARTITION_TAG),
        tags=tags,
    )


@dg.sensor(
    jobs=[search_block, backfill_blocks, roll_up_hours, roll_up_days],
    minimum_interval_seconds=EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tries failed runs of blocks and roll-ups again after 5, 20 and 80 s, then raises an alert.",
)
def failed_runs(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Request the attempts that are due; write an alert for runs whose attempts are used up."""
    now = time.time()
    due, given_up, pausing = [], [], 0
    for record in failures(context.instance):
        run = record.dagster_run
        if is_given_up(run.tags):
            given_up.append(run)
        elif now < (record.end_time or now) + pause_seconds(attempt_of(run.tags)):
            pausing += 1
        else:
            due.append(run)
    problem = ""
    if given_up:
        try:
            with service_store() as store:
                raise_alerts(store, given_up)
        except MevError as error:
            problem = f"; {len(given_up)} alerts wait for the store: {error}"
    said = f"{pausing} failed runs wait for their pause to end, {len(given_up)} are given up{problem}"
    if not due:
        return dg.SkipReason(said if pausing or given_up else "no run of a block or a roll-up has failed")
    context.log.info(said)
    keys = context.instance.get_dynamic_partitions(BLOCK_PARTITIONS)
    requests: list[dg.RunRequest] = []
    for run in due:
        if len(requests) >= RUNS_PER_TICK:
            break
        requests += retries(run, keys)  # all of a range's at once: one is enough to count it as tried again
    return dg.SensorResult(run_requests=requests)


def failures(instance: dg.DagsterInstance) -> list[dg.RunRecord]:
    """Return the runs that failed lately, have no next attempt yet and were not superseded."""
    since = datetime.now(UTC) - LOOK_BACK
    found: list[dg.RunRecord] = []
    for job in RETRIED_JOBS:
        filters = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
        found += instance.get_run_records(filters, limit=256)
    return [
        record
        for record in found
        if is_retried(record.dagster_run.tags)
        and record.dagster_run.tags.get(ENDED_TAG) != SUPERSEDED
        and not instance.get_runs_count(dg.RunsFilter(tags={RETRY_OF_TAG: record.dagster_run.run_id}))
    ]
