"""Dagster assets, one file per group: titles, metadata and a call into `mev_dagster`."""

import dagster as dg

BLOCK_GROUPS = ("ingest", "simulation", "search", "pbs", "labels")


def block_assets() -> dg.AssetSelection:
    """Select everything that is cut by block: what the sensor runs for each one."""
    return dg.AssetSelection.groups(*BLOCK_GROUPS)
