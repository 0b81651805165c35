"""Dagster's own records cut back to what the settings keep."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from mev_dagster.blockrun.run_tags import BLOCK_PARTITIONS
from mev_dagster.retention import Swept
from mev_dagster.settings import settings
from resources.runtime.instance_remains import sweep_backfills, sweep_checks, sweep_ticks
from resources.runtime.instance_retention import delete_keys, delete_runs, expired_keys, old_runs


def sweep_dagster(instance: dg.DagsterInstance, dry_run: bool) -> Iterator[Swept]:
    """Ended runs with their events, and block keys beyond the rolling window."""
    config = settings()
    before = datetime.now(UTC) - timedelta(days=config.retention.days_runs)
    runs = old_runs(instance, before)
    keys = expired_keys(instance.get_dynamic_partitions(BLOCK_PARTITIONS), config.dagster.blocks_kept)
    if not dry_run:
        delete_runs(instance, runs)
        delete_keys(instance, BLOCK_PARTITIONS, keys)
    yield Swept("runs", "ended runs and their events", len(runs))
    for place, sweep in (("checks", sweep_checks), ("backfills", sweep_backfills), ("ticks", sweep_ticks)):
        yield Swept(place, f"from before {before:%Y-%m-%d}", sweep(instance, before, dry_run=dry_run))
    yield Swept("keys", f"{keys[0]} to {keys[-1]}" if keys else "no key", len(keys))


def sweep_instance(home: Path, dry_run: bool) -> Iterator[Swept]:
    """The same for the instance that has its records in the folder `home`."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield from sweep_dagster(instance, dry_run)
