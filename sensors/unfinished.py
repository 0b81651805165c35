"""What is under way: runs that have not ended, and the blocks they work on."""

import dagster as dg

from mev_dagster.blockrun.run_tags import BLOCK_JOBS, BLOCK_PARTITIONS
from mev_dagster.blockrun.stretches import partitions_of

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def unfinished(instance: dg.DagsterInstance, job_name: str) -> int:
    """Count the runs of a job that have not ended."""
    return instance.get_runs_count(dg.RunsFilter(job_name=job_name, statuses=UNFINISHED))


def blocks_under_way(instance: dg.DagsterInstance) -> set[str]:
    """Return the partitions of the block runs that have not ended."""
    runs = [
        run
        for job in BLOCK_JOBS
        for run in instance.get_runs(dg.RunsFilter(job_name=job, statuses=UNFINISHED), limit=512)
    ]
    keys = instance.get_dynamic_partitions(BLOCK_PARTITIONS) if runs else []
    return {key for run in runs for key in partitions_of(run.tags, keys)}
