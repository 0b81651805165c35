"""The processes of `mev up`: what runs, how it is asked for its health, Dagster's instance folder."""
