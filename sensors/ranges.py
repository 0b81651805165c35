"""Requests of runs over one block or a stretch of them."""

from collections.abc import Mapping, Sequence

import dagster as dg

from mev_dagster.blockrun.stretches import range_tags


def run_request(
    job_name: str, stretch: Sequence[str], *, run_key: str, tags: Mapping[str, str]
) -> dg.RunRequest:
    """Return the request that takes a stretch in one run."""
    if len(stretch) == 1:
        return dg.RunRequest(run_key=run_key, job_name=job_name, partition_key=stretch[0], tags=dict(tags))
    return dg.RunRequest(run_key=run_key, job_name=job_name, tags={**tags, **range_tags(stretch)})
