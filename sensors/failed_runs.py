"""Failed runs of blocks and roll-ups: tried again with growing pauses, then left to a person with an alert.

A run that was superseded is no failure of ours and is left alone. The sensor keeps nothing in its cursor that
it could lose: which runs failed, and which of them were tried again, stands in Dagster's own run table.
"""

import hashlib
import json
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import dagster as dg

from mev_dagster.blockrun.run_tags import ATTEMPT_TAG, BLOCK_TAG, ENDED_TAG, RETRY_OF_TAG, SUPERSEDED
from mev_dagster.errors import MevError
from mev_dagster.store.client import Store
from resources.store import service_store
from sensors.jobs import backfill_blocks, roll_up_days, roll_up_hours, search_block
from sensors.ranges import RANGE_START_TAG
from sensors.unfinished import BLOCK_JOBS

EVERY_SECONDS = 10
LOOK_BACK = timedelta(hours=2)
MAX_ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 5
PAUSE_FACTOR = 4
RUNS_PER_TICK = 16
RETRIED_JOBS = (*BLOCK_JOBS, roll_up_hours.name, roll_up_days.name)
CARRIED = ("mev/", "dagster/asset_partition_range")


def pause_seconds(attempt: int) -> int:
    """Return how long to wait after attempt 1, 2, 3: 5, 20, 80 seconds."""
    return FIRST_PAUSE_SECONDS * int(PAUSE_FACTOR ** (attempt - 1))


def attempt_of(run: dg.DagsterRun) -> int:
    """Return which attempt a run was; a tag that is no number counts as the last one."""
    text = run.tags.get(ATTEMPT_TAG, "1")
    return int(text) if text.isascii() and text.isdigit() else MAX_ATTEMPTS


def retry(run: dg.DagsterRun) -> dg.RunRequest:
    """Return the next attempt of a failed run, in its own lane."""
    tags = {key: value for key, value in run.tags.items() if key.startswith(CARRIED)}
    tags.pop("mev/worker_pid", None)
    partition = None if RANGE_START_TAG in tags else run.tags.get("dagster/partition")
    return dg.RunRequest(
        run_key=f"retry:{run.run_id}",
        job_name=run.job_name,
        partition_key=partition,
        tags={**tags, ATTEMPT_TAG: str(attempt_of(run) + 1), RETRY_OF_TAG: run.run_id},
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
        if attempt_of(run) >= MAX_ATTEMPTS:
            given_up.append(run)
        elif now < (record.end_time or now) + pause_seconds(attempt_of(run)):
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
    return dg.SensorResult(run_requests=[retry(run) for run in due[:RUNS_PER_TICK]])


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
        if ("dagster/partition" in record.dagster_run.tags or RANGE_START_TAG in record.dagster_run.tags)
        and record.dagster_run.tags.get(ENDED_TAG) != SUPERSEDED
        and not instance.get_runs_count(dg.RunsFilter(tags={RETRY_OF_TAG: record.dagster_run.run_id}))
    ]


def raise_alerts(store: Store, runs: Iterable[dg.DagsterRun]) -> None:
    """Write one alert row a run that is given up; doing it again changes nothing."""
    for run in runs:
        of_block = run.job_name in BLOCK_JOBS
        about = run.tags.get(BLOCK_TAG) or run.tags.get("dagster/partition", "")
        name, kind = ("BlockRunFailed", "block") if of_block else ("RollupFailed", "partition")
        labels = {"alertname": name, kind: about, "job": run.job_name, "run_id": run.run_id}
        text = json.dumps(labels, sort_keys=True)
        alert_id = hashlib.sha256(text.encode()).digest()
        if store.count("alerts", {"alert_id": alert_id}):
            continue
        now_ns = time.time_ns()
        numbers = [int(part) for part in about.split("-") if of_block and part.isascii() and part.isdigit()]
        store.replace(
            "alerts",
            {"alert_id": alert_id},
            {
                "name": [name],
                "source": ["failed_runs"],
                "labels": [text],
                "summary": [f"{kind} {about}: {MAX_ATTEMPTS} attempts failed"],
                "starts_at": [now_ns],
                "received_at": [now_ns],
                "block_numbers": [numbers],
                "action": [f"given up after {MAX_ATTEMPTS} attempts; the last is run {run.run_id}"],
            },
        )
