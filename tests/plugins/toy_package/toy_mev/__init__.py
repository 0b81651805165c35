"""One plug-in of each kind. Nothing of mev_dagster knows it."""
