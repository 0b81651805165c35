"""Let Dagster's own records go: runs with their events, and block keys beyond the rolling window.

Dagster 1.13 keeps runs for ever, and some rows even of those that are deleted (`instance_remains`). SQLite
reuses the pages that become free, so the files stop growing without a VACUUM, which would hold up the live
lane.
"""

from collections.abc import Sequence
from datetime import datetime

import dagster as dg

from resources.runtime.instance_remains import delete_run_tags

RUNS_PER_SWEEP = 20_000
PAGE = 500
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def old_runs(instance: dg.DagsterInstance, before: datetime, *, limit: int = RUNS_PER_SWEEP) -> list[str]:
    """Return the runs that ended and were created before a time, oldest first."""
    filters = dg.RunsFilter(created_before=before, statuses=ENDED)
    found: list[str] = []
    cursor = None
    while len(found) < limit:
        page = instance.get_run_records(
            filters, limit=min(PAGE, limit - len(found)), ascending=True, cursor=cursor
        )
        found += [record.dagster_run.run_id for record in page]
        if len(page) < PAGE:
            break
        cursor = page[-1].dagster_run.run_id
    return found


def delete_runs(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> None:
    """Delete runs with all their events, materializations included, and their tags."""
    for run_id in run_ids:
        instance.delete_run(run_id)
    for start in range(0, len(run_ids), PAGE):
        delete_run_tags(instance, run_ids[start : start + PAGE])


def expired_keys(keys: Sequence[str], kept: int) -> list[str]:
    """Return the keys before the last `kept`, in the order they were added.

    By age of the key, not of the block: a backfill of an old day keeps its keys as long as today's blocks.
    """
    return list(keys[: max(len(keys) - kept, 0)])


def delete_keys(instance: dg.DagsterInstance, partitions: str, keys: Sequence[str]) -> None:
    """Delete dynamic partition keys."""
    for key in keys:
        instance.delete_dynamic_partition(partitions, key)
