"""Dagster assets, one file per group: titles, metadata and a call into `mev_dagster`."""
