"""Failed runs: tried again with growing pauses while their cause is worth it; then an alert.

What is known of them stands in their tags.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Protocol

from mev_dagster.blockrun.failure_causes import FAULT, Cause
from mev_dagster.blockrun.run_tags import (
    AGED_TAG,
    ATTEMPT_TAG,
    BLOCK_JOBS,
    BLOCK_TAG,
    FIRST_FAILED_TAG,
    LAUNCHER_TAG,
    PARTITION_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    RETRY_OF_TAG,
    WORKER_PID_TAG,
)
from mev_dagster.blockrun.source_code import CODE_TAG
from mev_dagster.store.alerts import raise_once
from mev_dagster.store.client import Store
from mev_dagster.telemetry.block_names import blocks_named
from mev_dagster.telemetry.retries import Backoff

MAX_ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 5
PAUSE_FACTOR = 4
LONGEST_PAUSE_SECONDS = 80
CARRIED = ("mev/", "dagster/asset_partition_range")
OF_THE_ATTEMPT = (WORKER_PID_TAG, LAUNCHER_TAG, CODE_TAG, AGED_TAG)


class EndedRun(Protocol):
    """What is looked at of a run that ended."""

    @property
    def job_name(self) -> str:
        """The job it was a run of."""
        ...

    @property
    def run_id(self) -> str:
        """Its id."""
        ...

    @property
    def tags(self) -> Mapping[str, str]:
        """Its tags."""
        ...


def pause_seconds(attempt: int) -> int:
    """Return how long to wait after attempt 1, 2, 3: 5, 20, 80 seconds."""
    pauses = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, growth=PAUSE_FACTOR)
    return round(pauses.whole_seconds(attempt))


def attempt_of(tags: Mapping[str, str]) -> int:
    """Return which attempt a run was; a tag that is no number counts as the last one."""
    text = tags.get(ATTEMPT_TAG, "1")
    return int(text) if text.isascii() and text.isdigit() else MAX_ATTEMPTS


def is_given_up(tags: Mapping[str, str], cause: Cause = FAULT, failed_at: float = 0.0) -> bool:
    """Say whether a failed run was the last attempt: each gets four, and more while its budget lasts."""
    if attempt_of(tags) < MAX_ATTEMPTS:
        return False
    return failed_at - first_failed(tags, failed_at) >= cause.seconds


def first_failed(tags: Mapping[str, str], failed_at: float) -> float:
    """Return when the first attempt failed; a later one that does not say has used its budget up."""
    text = tags.get(FIRST_FAILED_TAG, "")
    if text.isascii() and text.isdigit():
        return float(text)
    return failed_at if attempt_of(tags) == 1 else 0.0


def is_retried(tags: Mapping[str, str]) -> bool:
    """Say whether a run is of partitions, and so can be tried again."""
    return PARTITION_TAG in tags or RANGE_START_TAG in tags


def next_tags(run: EndedRun, failed_at: float | None = None) -> dict[str, str]:
    """Return the tags of the next attempt: the same blocks in the same lane, and since when they fail."""
    carried = {key: value for key, value in run.tags.items() if key.startswith(CARRIED)}
    for tag in OF_THE_ATTEMPT:
        carried.pop(tag, None)
    if failed_at is not None:
        carried[FIRST_FAILED_TAG] = str(int(first_failed(run.tags, failed_at)))
    return {**carried, ATTEMPT_TAG: str(attempt_of(run.tags) + 1), RETRY_OF_TAG: run.run_id}


def next_tags_of_block(run: EndedRun, key: str, failed_at: float | None = None) -> dict[str, str]:
    """Return the tags of the next attempt at one block of a range that failed: alone it fails no other."""
    tags = {
        tag: value
        for tag, value in next_tags(run, failed_at).items()
        if tag not in (RANGE_START_TAG, RANGE_END_TAG)
    }
    return {**tags, BLOCK_TAG: key}


def due_in(tags: Mapping[str, str], failed_at: float, now: float) -> float:
    """Return how many seconds a failed run still waits for its next attempt."""
    return max(0.0, failed_at + pause_seconds(attempt_of(tags)) - now)


def about(tags: Mapping[str, str]) -> str:
    """Return what a run is about: its blocks, its partition, or the ends of its range of partitions."""
    ends = [tags[tag] for tag in (RANGE_START_TAG, RANGE_END_TAG) if tag in tags]
    return tags.get(BLOCK_TAG) or tags.get(PARTITION_TAG) or "-".join(dict.fromkeys(ends))


def raise_alerts(store: Store, runs: Iterable[EndedRun]) -> None:
    """Write one alert row a run that is given up; doing it again changes nothing."""
    for run in runs:
        what = about(run.tags)
        of_blocks = run.job_name in BLOCK_JOBS or blocks_named(what) is not None
        name, kind = ("BlockRunFailed", "block") if of_blocks else ("RollupFailed", "partition")
        if not (of_blocks or is_retried(run.tags)):
            name, kind, what = "JobFailed", "job", run.job_name
        attempts = attempt_of(run.tags)
        raise_once(
            store,
            source="failed_runs",
            labels={"alertname": name, kind: what, "job": run.job_name, "run_id": run.run_id},
            summary=f"{kind} {what}: {attempts} attempts failed",
            blocks=(blocks_named(what) or ()) if of_blocks else (),
            action=f"given up after {attempts} attempts; the last is run {run.run_id}",
            now_ns=time.time_ns(),
        )
