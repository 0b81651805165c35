"""How far behind its head each stage of a live run ended: `mev_block_lag_seconds`, the runs' part of it."""

from typing import Protocol

from prometheus_client import CollectorRegistry

from mev_dagster.captures.source import ChainSource, NodeSource
from mev_dagster.telemetry.catalogue import BlockMetrics
from mev_dagster.units import NS_PER_SECOND
from mev_dagster.windows.log_windows import WindowSpan

STAGE_OF_TABLE = {
    "ingest_windows": "windowed",
    "simulations": "simulated",
    "opportunities": "searched",
    "block_templates": "built",
    "relay_submissions": "submitted",
}


class LiveBlock(Protocol):
    """What is asked of a run."""

    @property
    def live(self) -> bool:
        """Whether it follows a head."""
        ...

    @property
    def span(self) -> WindowSpan:
        """Where its window lies in the log."""
        ...

    @property
    def source(self) -> ChainSource:
        """Where its chain comes from."""
        ...

    @property
    def arrived_ns(self) -> int:
        """When its head reached this machine."""
        ...


def observe(block: LiveBlock, table: str, now_ns: int, registry: CollectorRegistry) -> None:
    """Observe the stage that filling `table` ends; history is late by intent and is not measured."""
    stage = STAGE_OF_TABLE.get(table)
    if stage is None or not block.live:
        return
    beside_a_node = isinstance(block.source, NodeSource)
    arrived_ns = block.span.head_wall_ns if beside_a_node else block.arrived_ns
    lag = BlockMetrics.on(registry).block_lag.labels(stage)
    lag.observe(max(0, now_ns - arrived_ns) / NS_PER_SECOND)
