"""The reference that judges this process's executions, as the settings ask for it."""

from functools import lru_cache
from pathlib import Path

from mev_dagster.evm.recheck import Recheck
from mev_dagster.settings import Settings
from mev_dagster.telemetry.run_reports import run_registry


def judge_of(configured: Settings) -> Recheck:
    """Return this process's judge: its counters are reported with the run's, its artifacts in the home."""
    return _judge(configured.evm.recheck_share, configured.mismatch_dir)


@lru_cache(maxsize=1)
def _judge(share: float, folder: Path) -> Recheck:
    return Recheck(share, folder=folder, registry=run_registry())
