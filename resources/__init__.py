"""Dagster resources: store, event log, node, engine, relay."""
