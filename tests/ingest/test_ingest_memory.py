"""What a flood of large transactions keeps: bytes are bounded, not only counts, and are given back."""

import asyncio
import gc
import tracemalloc

import pyarrow as pa
import pytest
from ingest_anvil import CHAIN_ID, KEYS
from ingest_events import GENESIS, arrived, block_on, body, numbered
from ingest_run import GWEI, new_pipeline
from prometheus_client import CollectorRegistry

from mev_dagster.chain.signing import address_of, sign_transaction
from mev_dagster.events.log import EventLogWriter
from mev_dagster.ingest.feeder import StoreFeeder
from mev_dagster.ingest.log_feed import BYTES_PER_BATCH
from mev_dagster.ingest.memory import resident_bytes, trim
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.telemetry.clock import SystemClock
from mev_dagster.units import KIB, MIB
from mev_dagster.windows.bodies import BodyDecoder
from mev_dagster.windows.memory import DecodedTransactions
from mev_dagster.windows.open_rows import OpenRows
from mev_dagster.windows.rows import RowBuilder, batch_of


def large(nonce: int, size: int = 100_000):
    return sign_transaction(
        KEYS[0],
        chain_id=CHAIN_ID,
        nonce=nonce,
        to=address_of(KEYS[1]),
        gas_limit=21_000 + 16 * size,
        data=nonce.to_bytes(4, "big") * (size // 4),
        max_fee_per_gas_wei=4 * GWEI,
        max_priority_fee_per_gas_wei=GWEI,
    )


class ForgetfulStore:
    """Takes rows and keeps none."""

    url = "nowhere"

    def rows(self, sql, params=None):
        return [(0, 0)] if sql.startswith("SELECT count(), max(seq)") else []

    def scalar(self, sql, params=None):
        return 0

    def insert(self, table, columns):
        return len(next(iter(columns.values())))

    def insert_new(self, table, columns, *, key, since=None):
        return self.insert(table, columns)

    def close(self):
        pass


def test_fifteen_hundred_transactions_of_100_kb_leave_little_behind(tmp_path):
    queue, pipeline = ArrivalQueue(65_536), new_pipeline()
    feeder = StoreFeeder(tmp_path, ForgetfulStore, IngestMetrics(CollectorRegistry()), SystemClock())
    writer = EventLogWriter(tmp_path)
    large(0)
    gc.collect()
    trim()
    resident = resident_bytes()
    tracemalloc.start()
    try:
        for first in range(0, 1_500, 100):
            for nonce in range(first, first + 100):
                assert queue.offer(body(large(nonce)))
            while len(queue):
                taken = asyncio.run(queue.take(1_024, BYTES_PER_BATCH))
                writer.append_many(pipeline.accept(taken))
                writer.commit()
            while feeder.step():
                pass
        gc.collect()
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    trim()
    pa.default_memory_pool().release_unused()
    writer.close()
    assert feeder.stored_seq == 1_499
    assert held < 64 * MIB
    assert peak < 192 * MIB
    assert pa.total_allocated_bytes() < 32 * MIB
    assert resident_bytes() - resident < 160 * MIB


def test_the_queue_is_bounded_in_bytes_and_gives_them_back():
    queue = ArrivalQueue(1_000, capacity_bytes=250 * KIB)
    taken = [queue.offer(body(large(nonce))) for nonce in range(5)]
    assert taken == [True, True, True, False, False]
    assert queue.fill >= 1
    assert queue.dropped.total() == 2
    asyncio.run(queue.take(1_000))
    assert (queue.held_bytes, queue.fill, queue.is_full) == (0, 0.0, False)


async def test_an_arrival_larger_than_the_whole_queue_still_passes():
    queue = ArrivalQueue(10, capacity_bytes=10)
    await asyncio.wait_for(queue.put(body(large(0))), 5)
    waiting = asyncio.create_task(queue.put(body(large(1))))
    assert len(await queue.take(10)) == 1
    await asyncio.wait_for(waiting, 5)
    assert len(queue) == 1


async def test_a_batch_ends_with_the_arrival_that_reaches_its_bytes():
    queue = ArrivalQueue(100)
    for nonce in range(5):
        queue.offer(body(large(nonce)))
    assert [len(await queue.take(100, 150 * KIB)) for _ in range(3)] == [2, 2, 1]


@pytest.mark.parametrize("size", [1_000, 100_000, 5_000_000])
def test_remembered_transactions_stay_below_their_bytes(size):
    decoded = DecodedTransactions(capacity_bytes=2 * MIB)
    for nonce in range(40):
        decoded.remember(large(nonce, size))
    assert decoded.held_bytes <= 2 * MIB
    newest = large(39, size)
    assert (decoded.find(newest.hash, newest.raw) is not None) == (size < 5_000_000)


def folded(events, limit: int):
    """Fold events into rows, a batch an event, as a feeder that keeps up does."""
    builder, parts = RowBuilder("log"), []
    builder._held = OpenRows(limit)
    for event in events:
        batch = batch_of([event])
        builder.push(batch, BodyDecoder().begin(batch)())
        parts.append(builder.take())
    return [one for rows in parts for one in rows.checkpoints], [
        row for rows in parts for row in rows.revised["transactions"]
    ]


def test_an_open_window_beyond_its_bytes_lies_in_a_file_and_has_the_same_digest_and_rows():
    arrivals = [*(body(large(nonce, 20_000)) for nonce in range(6)), arrived(block_on(GENESIS))]
    events = numbered(new_pipeline().accept(arrivals))
    in_memory, in_files = folded(events, 1 * MIB), folded(events, 1_000)
    assert in_files == in_memory
    assert len(in_memory[0]) == 1
    assert len(in_memory[1]) == 6  # the first head renumbers what was stored before it
