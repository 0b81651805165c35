"""`python -m mev_dagster` is the `mev` command."""

from mev_dagster.cli import main

main()
