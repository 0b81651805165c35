"""`mev store backfill FIRST LAST`: the per-block assets of a range of blocks, beside the live lane.

Only blocks that lack any of their results are taken, so the same command goes on where it was interrupted,
and doing it again when all is there does nothing. Dagster cuts the range into runs of neighbouring keys.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

from mev_dagster.errors import InputError
from mev_dagster.platform.webserver import Progress, Webserver
from mev_dagster.store.client import Store

MAX_BLOCKS = 50_000
POLL_SECONDS = 1.0
BLOCKS_AT_ONCE = 256
TO_DO_SQL = (resources.files("mev_dagster.platform") / "blocks_to_do.sql").read_text()

ASSETS = (
    "ingest_windows",
    "decoded_txs",
    "source_coverage",
    "tx_features",
    "simulations",
    "opportunities",
    "block_templates",
    "mev_labels",
    "backtests",
)
"""What a past block gets: everything but a submission to a relay."""


@dataclass(slots=True)
class BlockBackfill:
    """What a backfill of blocks did."""

    blocks: int = 0
    already_there: int = 0
    keys_added: int = 0
    not_in_store: int = 0
    failed: int = 0
    ids: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every block of the range that the store knows has its result."""
        return not self.failed


def backfill_blocks(
    store: Store,
    webserver: Webserver,
    first: int,
    last: int,
    *,
    again: bool = False,
    on_progress: Callable[[int, Progress], None] = lambda blocks, progress: None,
) -> BlockBackfill:
    """Bring blocks `first` to `last` up to date; return what was done when it is."""
    if last < first or last - first >= MAX_BLOCKS:
        raise InputError(f"blocks {first} to {last}: expected FIRST <= LAST, at most {MAX_BLOCKS} blocks")
    found = store.rows(TO_DO_SQL, {"first": first, "last": last})
    wanted = [str(number) for number, searched in found if again or not searched]
    report = BlockBackfill(len(wanted), len(found) - len(wanted), not_in_store=last - first + 1 - len(found))
    for start in range(0, len(wanted), BLOCKS_AT_ONCE):
        keys = wanted[start : start + BLOCKS_AT_ONCE]
        report.keys_added += webserver.add_block_keys(keys)
        backfill_id = webserver.launch_backfill(
            ASSETS,
            keys,
            title=f"blocks {keys[0]} to {keys[-1]}",
            tags={"mev/lane": "cold"},  # each run's own range says its blocks
        )
        report.ids += (backfill_id,)
        while not (progress := webserver.progress(backfill_id)).ended:
            on_progress(start, progress)
            time.sleep(POLL_SECONDS)
        on_progress(start + len(keys), progress)
        report.failed += progress.failed or (0 if progress.status.startswith("COMPLETED") else len(keys))
    return report
