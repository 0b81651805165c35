"""Which blocks one run can take: a stretch of keys that lie next to each other in Dagster's own order.

Dagster reads a range of dynamic keys in the order they were added, so a range of numbers is one run only
where nothing else was added in between.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from mev_dagster.blockrun.run_tags import (
    BLOCK_TAG,
    PARTITION_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
)
from mev_dagster.telemetry.block_names import blocks_named

BLOCKS_PER_RUN = 16


def stretches(keys: Sequence[str], wanted: Iterable[str]) -> list[list[str]]:
    """Cut the wanted keys into stretches of neighbours in `keys`, each short enough for one run."""
    place = {key: index for index, key in enumerate(keys)}
    places = sorted(place[key] for key in wanted)
    found = []
    for _, group in groupby(enumerate(places), key=lambda pair: pair[1] - pair[0]):
        stretch = [keys[index] for _, index in group]
        found += [stretch[at : at + BLOCKS_PER_RUN] for at in range(0, len(stretch), BLOCKS_PER_RUN)]
    return found


def range_tags(stretch: Sequence[str]) -> dict[str, str]:
    """Return the tags by which Dagster knows a run over several keys."""
    return {RANGE_START_TAG: stretch[0], RANGE_END_TAG: stretch[-1]}


def keys_of_range(tags: Mapping[str, str], keys: Sequence[str]) -> list[str]:
    """Return the keys of a run over a range, in Dagster's own order: "35" to "99" is no range of numbers.

    None of them where the run is of no range, or where its ends are no keys any more.
    """
    first, last = tags.get(RANGE_START_TAG), tags.get(RANGE_END_TAG)
    place = {key: index for index, key in enumerate(keys)}
    if first not in place or last not in place:
        return []
    return list(keys[place[first] : place[last] + 1])


def partitions_of(tags: Mapping[str, str], keys: Sequence[str] = ()) -> set[str]:
    """Return the blocks a run works on, as partition keys; `keys` are all there are, in Dagster's order."""
    if PARTITION_TAG in tags:
        return {tags[PARTITION_TAG]}
    if of_range := keys_of_range(tags, keys):
        return set(of_range)
    return {str(number) for number in blocks_named(tags.get(BLOCK_TAG, "")) or ()}
