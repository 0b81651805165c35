"""The reference that judges this process's executions, as the settings ask for it."""

from functools import lru_cache

from mev_dagster.evm.recheck import Recheck
from mev_dagster.settings import Settings
from mev_dagster.telemetry.run_reports import run_registry


@lru_cache(maxsize=1)
def judge_of(configured: Settings) -> Recheck:
    """Return this process's judge: its counters are reported with the run's, its artifacts in the home."""
    return Recheck(configured.evm.recheck_share, folder=configured.mismatch_dir, registry=run_registry())
