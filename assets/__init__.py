"""Dagster assets, one file per group: titles, metadata and a call into `mev_dagster`."""

import warnings

import dagster as dg

# A range of blocks in one run is worth a parameter that Dagster still calls beta.
warnings.filterwarnings("ignore", ".*`backfill_policy`.*", dg.BetaWarning)

BLOCK_GROUPS = ("ingest", "simulation", "search", "pbs", "labels")


def block_assets() -> dg.AssetSelection:
    """Select everything that is cut by block: what the sensor runs for each one."""
    return dg.AssetSelection.groups(*BLOCK_GROUPS)
