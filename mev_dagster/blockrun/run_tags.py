"""Run tags: which lane a run takes, what it is about, and how it came to be."""

from collections.abc import Mapping

LANE_TAG = "mev/lane"
HOT = "hot"
"""Follows a head: taken first by the warm worker."""
COLD = "cold"
"""Backfills, repairs and alerts: one at a time, niced, behind the hot lane."""
COLD_NICENESS = 10

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
ENDED_TAG = "mev/ended"
SUPERSEDED = "superseded"

BACKFILL_TAG = "dagster/backfill"
PARENT_RUN_TAG = "dagster/parent_run_id"
"""The run that this one executes again."""
PARTITION_TAG = "dagster/partition"
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"

BLOCK_PARTITIONS = "blocks"
"""The dynamic partitions that block runs are of; a key is a block's number."""
BLOCK_JOBS = ("search_block", "backfill_blocks")
"""The jobs whose partitions are blocks."""


def lane_of(tags: Mapping[str, str]) -> str | None:
    """Return the lane a run takes.

    A backfill that a person started from the UI is history, so cold, and so is a run that is executed again:
    it loses the tag of the backfill it was part of.
    """
    history = BACKFILL_TAG in tags or PARENT_RUN_TAG in tags or RANGE_START_TAG in tags
    return tags.get(LANE_TAG) or (COLD if history else None)
