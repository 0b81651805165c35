"""Dagster sensors and schedules: new blocks, gaps, failures, alerts."""
