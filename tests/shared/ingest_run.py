"""A lane and the pipeline run together in a test, without log or store: what would be logged is kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ingest_anvil import CHAIN_ID, KEYS
from prometheus_client import CollectorRegistry

from mev_dagster.chain.signing import address_of, sign_transaction
from mev_dagster.chain.transactions import Transaction
from mev_dagster.events.types import BlockSeen, Event
from mev_dagster.ingest.lanes.lane import IngestLane
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.pipeline import Pipeline
from mev_dagster.ingest.queue import ArrivalQueue

GWEI = 10**9


def transfer(nonce: int, *, key: bytes = KEYS[0], tip_gwei: int = 1, value_wei: int = 1) -> Transaction:
    """A small payment from one of anvil's accounts."""
    return sign_transaction(
        key,
        chain_id=CHAIN_ID,
        nonce=nonce,
        to=address_of(KEYS[1]),
        gas_limit=21_000,
        value_wei=value_wei,
        max_fee_per_gas_wei=(tip_gwei + 3) * GWEI,
        max_priority_fee_per_gas_wei=tip_gwei * GWEI,
    )


def new_pipeline(chain_id: int | None = CHAIN_ID) -> Pipeline:
    return Pipeline(IngestMetrics(CollectorRegistry()), chain_id=chain_id)


class Run:
    """The events a running lane has led to so far."""

    def __init__(self, pipeline: Pipeline, queue: ArrivalQueue) -> None:
        self.pipeline, self.queue = pipeline, queue
        self.events: list[Event] = []
        self.lane_task: asyncio.Task[None] | None = None

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    def hashes(self, kind: type) -> set[bytes]:
        return {event.tx_hash for event in self.of(kind)}

    def head(self) -> int:
        return max((event.number for event in self.of(BlockSeen)), default=-1)


@asynccontextmanager
async def running(
    lane: IngestLane, pipeline: Pipeline, queue: ArrivalQueue | None = None
) -> AsyncIterator[Run]:
    """Run the lane until the block ends."""
    run = Run(pipeline, queue or ArrivalQueue(10_000))

    async def drain() -> None:
        while batch := await run.queue.take(100):
            run.events.extend(pipeline.accept(batch))

    drainer = asyncio.create_task(drain())
    run.lane_task = asyncio.create_task(lane.run(run.queue))
    try:
        yield run
    finally:
        run.lane_task.cancel()
        await asyncio.gather(run.lane_task, return_exceptions=True)
        run.queue.close()
        await drainer
