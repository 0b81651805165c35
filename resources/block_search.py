"""The door to a block's run: made once for all assets that one Dagster run executes for a block."""

import os
import time
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg

from mev_dagster.blockrun.judge import judge_of
from mev_dagster.blockrun.run import BlockRun, keys_for
from mev_dagster.blockrun.run_tags import (
    BLOCK_HASH_TAG,
    BLOCK_TAG,
    CAPTURE_TAG,
    COLD,
    HOT,
    LANE_TAG,
    WINDOW_TAG,
    niceness_after,
)
from mev_dagster.hexadecimal import from_hex
from mev_dagster.pbs.bid_strategies import strategies_of
from mev_dagster.settings import settings
from mev_dagster.telemetry.block_names import name_blocks
from mev_dagster.telemetry.tracing import JsonLinesExporter, Tracing
from mev_dagster.windows.log_windows import log_identity
from resources.chain import ChainResource
from resources.engine import EngineResource
from resources.event_log import EventLogResource
from resources.store import StoreResource

BLOCKS_HELD = 16
"""Blocks of a range run that stay in memory between two assets, to save working the same out again."""


class BlockSearchResource(dg.ConfigurableResource):
    """Hands every asset of a run the same `BlockRun`."""

    store: dg.ResourceDependency[StoreResource]
    event_log: dg.ResourceDependency[EventLogResource]
    chain: dg.ResourceDependency[ChainResource]
    engine: dg.ResourceDependency[EngineResource]

    @contextmanager
    def yield_for_execution(
        self, context: dg.InitResourceContext
    ) -> Generator["BlockSearchResource", None, None]:
        """Step back behind the live lane when the run is of the cold one; forget its blocks at the end."""
        run = context.run
        if run is not None and run.tags.get(LANE_TAG) == COLD:
            record = context.instance.get_run_record_by_id(run.run_id) if context.instance else None
            waited = time.time() - record.create_timestamp.timestamp() if record else 0.0
            os.nice(max(niceness_after(waited) - os.nice(0), 0))
        try:
            yield self
        finally:
            _RUNS.clear()

    def of(self, context: dg.AssetExecutionContext, number: int) -> BlockRun:
        """Return the run of one block."""
        key = (context.run_id, number)
        if key not in _RUNS:
            while len(_RUNS) >= BLOCKS_HELD:
                _RUNS.popitem(last=False)
            _RUNS[key] = self._begin(context, number)
            _tag(context, _RUNS[key])
        return _RUNS[key]

    def _begin(self, context: dg.AssetExecutionContext, number: int) -> BlockRun:
        config, tags, source = settings(), context.run.tags, self.chain.source()
        expected = tags.get(BLOCK_HASH_TAG)
        return BlockRun(
            number,
            self.store.client,
            self.event_log.reader(),
            source,
            self.engine.build(),
            judge_of(config),
            config.home,
            keys_for(source),
            config.relay.deadline_ms,
            tracing=Tracing("builder", [JsonLinesExporter(config.home / "traces" / "builder.jsonl")]),
            budget=config.search.budget,
            strategies=strategies_of(config.submission_relays),
            expected_hash=from_hex(expected) if expected else None,
            live=tags.get(LANE_TAG) == HOT,
            run_id=context.run_id,
        )


def _tag(context: dg.AssetExecutionContext, block: BlockRun) -> None:
    """Tag a run that a person started with what it is about, as sensors tag theirs."""
    keys = context.partition_keys
    if WINDOW_TAG in context.run.tags or str(block.number) != keys[0]:
        return
    capture = settings().capture
    about = {
        BLOCK_TAG: name_blocks(map(int, keys)),
        **({CAPTURE_TAG: capture.name} if capture else {}),
    }
    if len(keys) == 1:
        about[WINDOW_TAG] = f"{log_identity(block.reader)}:{block.span.last_seq}"
    context.instance.add_run_tags(context.run_id, about)


_RUNS: OrderedDict[tuple[str, int], BlockRun] = OrderedDict()
