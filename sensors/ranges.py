"""Which blocks one run can take: a stretch of keys that lie next to each other in Dagster's own order.

Dagster reads a range of dynamic keys in the order they were added, so a range of numbers is one run only
where nothing else was added in between.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

import dagster as dg

BLOCKS_PER_RUN = 16
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"


def stretches(keys: Sequence[str], wanted: Iterable[str]) -> list[list[str]]:
    """Cut the wanted keys into stretches of neighbours in `keys`, each short enough for one run."""
    place = {key: index for index, key in enumerate(keys)}
    places = sorted(place[key] for key in wanted)
    found = []
    for _, group in groupby(enumerate(places), key=lambda pair: pair[1] - pair[0]):
        stretch = [keys[index] for _, index in group]
        found += [stretch[at : at + BLOCKS_PER_RUN] for at in range(0, len(stretch), BLOCKS_PER_RUN)]
    return found


def run_request(
    job_name: str, stretch: Sequence[str], *, run_key: str, tags: Mapping[str, str]
) -> dg.RunRequest:
    """Return the request that takes a stretch in one run."""
    if len(stretch) == 1:
        return dg.RunRequest(run_key=run_key, job_name=job_name, partition_key=stretch[0], tags=dict(tags))
    bounds = {RANGE_START_TAG: stretch[0], RANGE_END_TAG: stretch[-1]}
    return dg.RunRequest(run_key=run_key, job_name=job_name, tags={**tags, **bounds})
