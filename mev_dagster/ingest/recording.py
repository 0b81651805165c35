"""A capture from a live node: the daemon's own lane and pipeline, with a recorder where the log would be."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry

from mev_dagster.captures.manifest import CaptureManifest
from mev_dagster.captures.record import Recorder
from mev_dagster.events.types import BlockSeen, Event
from mev_dagster.evm.engines import get_engine
from mev_dagster.ingest.lanes.rpc import RpcLane
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.pipeline import Pipeline
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.ingest.tasks import run_until_one_ends
from mev_dagster.node.http import JsonRpc
from mev_dagster.telemetry.clock import Clock, SystemClock
from mev_dagster.windows.memory import DecodedTransactions

QUEUE_ARRIVALS = 1_048_576  # recording a block takes longer than logging it; what comes meanwhile waits
ARRIVALS_PER_BATCH = 4_096


async def record_node(
    url: str,
    out: Path | str,
    *,
    blocks: int,
    http_url: str | None = None,
    clock: Clock | None = None,
    source: str | None = None,
    **recorder_options: Any,
) -> CaptureManifest:
    """Record the next `blocks` blocks of the node at `url` (ws://) into the capture `out`."""
    decoded = DecodedTransactions()
    pipeline = Pipeline(IngestMetrics(CollectorRegistry()), decoded=decoded)
    lane = RpcLane(url, clock or SystemClock(), knows=pipeline.knows, decoded=decoded)
    if source is not None:
        lane.source = source
    queue = ArrivalQueue(QUEUE_ARRIVALS)
    recorder_options.setdefault("engine", get_engine())
    with JsonRpc(http_url or http_address(url), timeout_seconds=60.0) as rpc:
        recorder = Recorder(rpc, out, blocks=blocks, **recorder_options)

        async def follow() -> None:
            events = await _until_first_head(queue, pipeline)
            await asyncio.to_thread(recorder.begin)
            await asyncio.to_thread(recorder.take, events)
            while not recorder.done:
                events = pipeline.accept(await queue.take(ARRIVALS_PER_BATCH))
                await asyncio.to_thread(recorder.take, events)

        await run_until_one_ends(follow(), lane.run(queue))
        return await asyncio.to_thread(recorder.finish)


async def _until_first_head(queue: ArrivalQueue, pipeline: Pipeline) -> list[Event]:
    """Return the events up to the lane's first head: from then on nothing is missed."""
    events: list[Event] = []
    while not any(isinstance(event, BlockSeen) for event in events):
        events.extend(pipeline.accept(await queue.take(ARRIVALS_PER_BATCH)))
    return events


def http_address(url: str) -> str:
    """Return the HTTP address of a node that serves both on one port, as most do."""
    parts = urlsplit(url)
    return parts._replace(scheme={"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)).geturl()
