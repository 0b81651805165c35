"""How far behind its head each stage of a live run ended: `mev_block_lag_seconds`, the runs' part of it."""

from prometheus_client import CollectorRegistry

from mev_dagster.blockrun.run import BlockRun
from mev_dagster.captures.source import NodeSource
from mev_dagster.telemetry.catalogue import BlockMetrics
from mev_dagster.units import NS_PER_SECOND

STAGE_OF_TABLE = {
    "ingest_windows": "windowed",
    "simulations": "simulated",
    "opportunities": "searched",
    "block_templates": "built",
    "relay_submissions": "submitted",
}


def observe(run: BlockRun, table: str, registry: CollectorRegistry) -> None:
    """Observe the stage that filling `table` ends; history is late by intent and is not measured."""
    stage = STAGE_OF_TABLE.get(table)
    if stage is None or not run.live:
        return
    arrived_ns = run.span.head_wall_ns if isinstance(run.source, NodeSource) else run.arrived_ns
    lag_ns = max(0, run.clock.wall_ns() - arrived_ns)
    BlockMetrics.on(registry).block_lag.labels(stage).observe(lag_ns / NS_PER_SECOND)
