"""Which code writes each table: its digest is the asset's `code_version`.

An edit of a strategy makes the opportunities and all that is worked out from them stale, and leaves the
windows alone. A step works its inputs out again from the log, so it has the code of the steps before it too.
"""

from collections.abc import Mapping
from types import MappingProxyType

from mev_dagster.blockrun.source_code import version_of

LOG = ("chain", "events", "windows", "store", "blockrun.run", "blockrun.steps", "assets.per_block")
SEEN = (*LOG, "captures", "node", "evm", "features", "dex", "search")
DECIDED = (*SEEN, "blockrun.decide", "assets.simulation", "assets.search")
BUILT = (*DECIDED, "pbs", "blockrun.building", "blockrun.sealed", "blockrun.handing_over", "assets.pbs")
LABELLED = (*SEEN, "labels", "blockrun.judging", "assets.labels")
ROLLED_UP = ("store", "windows.coverage", "assets.rollups")

WRITTEN_BY: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "ingest_windows": (*LOG, "assets.ingest"),
    "transactions": (*LOG, "assets.ingest"),
    "coverage": (*LOG, "assets.ingest"),
    "tx_features": (*SEEN, "assets.simulation"),
    "simulations": (*SEEN, "assets.simulation"),
    "opportunities": DECIDED,
    "block_templates": BUILT,
    "relay_submissions": BUILT,
    "mev_labels": LABELLED,
    "backtests": (*DECIDED, *LABELLED, "backtest"),
    "coverage_hourly": ROLLED_UP,
    "labels_daily": ROLLED_UP,
    "backtests_daily": ROLLED_UP,
})  # fmt: skip


def code_version(table: str) -> str:
    """Return the version of the code that writes a table."""
    return version_of(*WRITTEN_BY[table])
