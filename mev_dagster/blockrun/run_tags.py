"""Run tags: which lane a run takes, what it is about, and how it came to be."""

from collections.abc import Mapping

LANE_TAG = "mev/lane"
HOT = "hot"
"""Follows a head: taken first by the warm worker."""
COLD = "cold"
"""Backfills, repairs and alerts: one at a time, niced, behind the hot lane."""
COLD_NICENESS = 10
NICER_BY_ONE_SECONDS = 60
COLD_AT_ONCE = 1
HOT_AT_ONCE = 16
"""Runs of each lane that are under way at once; the others wait in Dagster's queue."""
AT_ONCE = 24
"""Runs under way at once, whatever their lane."""

PRIORITY_TAG = "dagster/priority"
AGED_TAG = "mev/aged"
"""By how much a run's priority has grown while it waited."""
OLDER_BY_ONE_SECONDS = 60
BY_A_PERSON = 10
"""What somebody waits for goes ahead of history."""

LAUNCHER_TAG = "mev/launcher"
STOCK = "stock"
"""The warm worker did not take the run."""
WARM = "warm"
"""It did; a run executed again would otherwise keep what its parent's launch left in its tags."""

BLOCK_TAG = "mev/block"
"""The blocks of a run, as `telemetry.block_names` writes them."""
BLOCK_HASH_TAG = "mev/block_hash"
WINDOW_TAG = "mev/window"
CAPTURE_TAG = "mev/capture"
ALERT_TAG = "mev/alert"
ALERT_LABEL_TAG = "mev/alert."
ATTEMPT_TAG = "mev/attempt"
RETRY_OF_TAG = "mev/retry_of"
FIRST_FAILED_TAG = "mev/first_failed"
"""When the first attempt failed, in seconds since the epoch."""
GAP_TAG = "mev/gap"
"""The window that fell through and is given a run."""
WORKER_PID_TAG = "mev/worker_pid"
ENDED_TAG = "mev/ended"
SUPERSEDED = "superseded"

BACKFILL_TAG = "dagster/backfill"
PARTITION_TAG = "dagster/partition"
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"

BLOCK_PARTITIONS = "blocks"
"""The dynamic partitions that block runs are of; a key is a block's number."""
BLOCK_JOBS = ("search_block", "backfill_blocks")
"""The jobs whose partitions are blocks."""


def lane_of(tags: Mapping[str, str]) -> str:
    """Return the lane a run takes: the one its tag names, and the cold one where it names none.

    A backfill that a person started from the UI is history, and so is a run that is executed again.
    """
    return HOT if tags.get(LANE_TAG) == HOT else COLD


def niceness_after(waited_seconds: float) -> int:
    """Return how far a cold run steps back behind the heads: less, the longer it has waited for its turn."""
    return max(0, COLD_NICENESS - int(waited_seconds // NICER_BY_ONE_SECONDS))


def aged(tags: Mapping[str, str], waited_seconds: float) -> dict[str, str]:
    """Return the tags that raise a waiting run's priority, a step a minute; none where nothing is due."""
    before, now = _number(tags.get(AGED_TAG)), int(waited_seconds // OLDER_BY_ONE_SECONDS)
    if now <= before:
        return {}
    return {PRIORITY_TAG: str(_number(tags.get(PRIORITY_TAG)) + now - before), AGED_TAG: str(now)}


def is_of_a_person(tags: Mapping[str, str]) -> bool:
    """Say whether somebody clicked for this one run; a backfill is history, and sensors name a lane."""
    return LANE_TAG not in tags and BACKFILL_TAG not in tags and RANGE_START_TAG not in tags


def _number(text: str | None) -> int:
    try:
        return int(text or "0")
    except ValueError:
        return 0
