"""Failed runs: tried again with growing pauses, then given up with an alert.

What is known of them stands in their tags.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Protocol

from mev_dagster.blockrun.run_tags import (
    ATTEMPT_TAG,
    BLOCK_JOBS,
    BLOCK_TAG,
    PARTITION_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    RETRY_OF_TAG,
)
from mev_dagster.store.alerts import raise_once
from mev_dagster.store.client import Store
from mev_dagster.telemetry.block_names import blocks_named
from mev_dagster.telemetry.retries import Backoff

MAX_ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 5
PAUSE_FACTOR = 4
LONGEST_PAUSE_SECONDS = 80
CARRIED = ("mev/", "dagster/asset_partition_range")
OF_THE_ATTEMPT = "mev/worker_pid"


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


def is_given_up(tags: Mapping[str, str]) -> bool:
    """Say whether a failed run was the last attempt."""
    return attempt_of(tags) >= MAX_ATTEMPTS


def is_retried(tags: Mapping[str, str]) -> bool:
    """Say whether a run is of partitions, and so can be tried again."""
    return PARTITION_TAG in tags or RANGE_START_TAG in tags


def next_tags(run: EndedRun) -> dict[str, str]:
    """Return the tags of the next attempt: the same blocks in the same lane."""
    carried = {key: value for key, value in run.tags.items() if key.startswith(CARRIED)}
    carried.pop(OF_THE_ATTEMPT, None)
    return {**carried, ATTEMPT_TAG: str(attempt_of(run.tags) + 1), RETRY_OF_TAG: run.run_id}


def next_tags_of_block(run: EndedRun, key: str) -> dict[str, str]:
    """Return the tags of the next attempt at one block of a range that failed: alone it fails no other."""
    tags = {
        tag: value for tag, value in next_tags(run).items() if tag not in (RANGE_START_TAG, RANGE_END_TAG)
    }
    return {**tags, BLOCK_TAG: key}


def about(tags: Mapping[str, str]) -> str:
    """Return what a run is about: its blocks, its partition, or the ends of its range of partitions."""
    ends = [tags[tag] for tag in (RANGE_START_TAG, RANGE_END_TAG) if tag in tags]
    return tags.get(BLOCK_TAG) or tags.get(PARTITION_TAG) or "-".join(dict.fromkeys(ends))


def raise_alerts(store: Store, runs: Iterable[EndedRun]) -> None:
    """Write one alert row a run that is given up; doing it again changes nothing."""
    for run in runs:
        of_blocks, what = run.job_name in BLOCK_JOBS, about(run.tags)
        name, kind = ("BlockRunFailed", "block") if of_blocks else ("RollupFailed", "partition")
        raise_once(
            store,
            source="failed_runs",
            labels={"alertname": name, kind: what, "job": run.job_name, "run_id": run.run_id},
            summary=f"{kind} {what}: {MAX_ATTEMPTS} attempts failed",
            blocks=(blocks_named(what) or ()) if of_blocks else (),
            action=f"given up after {MAX_ATTEMPTS} attempts; the last is run {run.run_id}",
            now_ns=time.time_ns(),
        )
