"""Failed runs: tried again with growing pauses while their cause is worth it, then an alert.

Runs of every job and of no job are looked at: what was clicked in the UI and what a backfill launched too. A
run that was superseded is no failure of ours and is left alone. The sensor keeps nothing in its cursor that
it could lose: which runs failed, and which of them were tried again, stands in Dagster's own run table.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from mev_dagster.blockrun.failure_causes import Cause, cause_of
from mev_dagster.blockrun.retries import (
    due_in,
    is_given_up,
    is_retried,
    next_tags,
    next_tags_of_block,
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
from mev_dagster.platform.block_backfill import ASSETS as PAST_ASSETS
from resources.store import service_store
from sensors.jobs import backfill_blocks, roll_up_days, roll_up_hours, search_block, write_reports

EVERY_SECONDS = 10
LOOK_BACK = timedelta(hours=2)
RUNS_PER_TICK = 16
UI_JOB = "__ASSET_JOB"
"""Dagster's name for what is materialised from an asset's page or by a backfill."""
BLOCK_ASSETS = frozenset(PAST_ASSETS)
RETRIED_BY = (
    (backfill_blocks, BLOCK_ASSETS),
    (search_block, BLOCK_ASSETS | {"relay_submissions"}),
    (roll_up_hours, frozenset({"coverage_hourly"})),
    (roll_up_days, frozenset({"labels_daily", "backtests_daily"})),
    (write_reports, frozenset({"hourly_report"})),
)
"""The jobs and their assets; a run of no job is tried again by the first that has all of its own."""
FAILURES = {
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RESOURCE_INIT_FAILURE,
}


def retries(run: dg.DagsterRun, keys: Sequence[str], failed_at: float, job: str) -> list[dg.RunRequest]:
    """Return the next attempt of a failed run, in its own lane; of a range each block is tried for itself.

    `keys` are the block keys in Dagster's order, in which a range is read.
    """
    selection = None if run.job_name == job else sorted(run.asset_selection or ())
    of_range = keys_of_range(run.tags, keys) if job in BLOCK_JOBS else []
    if len(of_range) > 1:
        return [
            dg.RunRequest(
                run_key=f"retry:{run.run_id}:{key}",
                job_name=job,
                partition_key=key,
                asset_selection=selection,
                tags=next_tags_of_block(run, key, failed_at),
            )
            for key in of_range
        ]
    tags = next_tags(run, failed_at)
    return [
        dg.RunRequest(
            run_key=f"retry:{run.run_id}",
            job_name=job,
            partition_key=None if RANGE_START_TAG in tags else run.tags.get(PARTITION_TAG),
            asset_selection=selection,
            tags=tags,
        )
    ]


@dg.sensor(
    jobs=[job for job, _ in RETRIED_BY],
    minimum_interval_seconds=EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tries failed runs again after 5, 20, 80 s, and on while their cause lasts; then an alert.",
)
def failed_runs(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Request the attempts that are due; write an alert for runs whose attempts are used up."""
    now = time.time()
    due, given_up, pausing = [], [], 0
    for record in failures(context.instance):
        run, failed_at = record.dagster_run, record.end_time or now
        job = job_of(run)
        if job is None or is_given_up(run.tags, cause(context.instance, run), failed_at):
            given_up.append(run)
        elif due_in(run.tags, failed_at, now) > 0:
            pausing += 1
        else:
            due.append((run, failed_at, job))
    problem = ""
    if given_up:
        try:
            with service_store() as store:
                raise_alerts(store, given_up)
        except MevError as error:
            problem = f"; {len(given_up)} alerts wait for the store: {error}"
    said = f"{pausing} failed runs wait for their pause to end, {len(given_up)} are given up{problem}"
    if not due:
        return dg.SkipReason(said if pausing or given_up else "no run has failed")
    context.log.info(said)
    keys = context.instance.get_dynamic_partitions(BLOCK_PARTITIONS)
    requests: list[dg.RunRequest] = []
    for run, failed_at, job in due:
        if len(requests) >= RUNS_PER_TICK:
            break
        requests += retries(run, keys, failed_at, job)  # a range's at once: one counts it as tried
    return dg.SensorResult(run_requests=requests)


def failures(instance: dg.DagsterInstance) -> list[dg.RunRecord]:
    """Return the runs that failed lately, have no next attempt yet and were not superseded."""
    since = datetime.now(UTC) - LOOK_BACK
    filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    return [
        record
        for record in instance.get_run_records(filters, limit=1024)
        if record.dagster_run.tags.get(ENDED_TAG) != SUPERSEDED
        and not instance.get_runs_count(dg.RunsFilter(tags={RETRY_OF_TAG: record.dagster_run.run_id}))
    ]


def job_of(run: dg.DagsterRun) -> str | None:
    """Return the job that tries a run again, None for one of no partition: its schedule starts it anyway."""
    if not is_retried(run.tags):
        return None
    wanted = {key.path[-1] for key in run.asset_selection or ()}
    for job, assets in RETRIED_BY:
        if run.job_name == job.name or (run.job_name == UI_JOB and wanted and wanted <= assets):
            return job.name
    return None


def cause(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Cause:
    """Return why a run failed, as its events tell."""
    return cause_of(_error_classes(instance, run.run_id))


def _error_classes(instance: dg.DagsterInstance, run_id: str) -> Iterator[str]:
    for entry in instance.all_logs(run_id, of_type=FAILURES):
        event = entry.dagster_event
        error: Any = getattr(event.event_specific_data, "error", None) if event is not None else None
        while error is not None:
            if error.cls_name:
                yield error.cls_name
            error = error.cause
