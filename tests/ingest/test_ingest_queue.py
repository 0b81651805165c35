"""The queue is bounded, slows down who may wait, and counts what it refuses."""

import asyncio

import pytest

from mev_dagster.errors import QueueFull
from mev_dagster.events.types import Lane, TxSeen
from mev_dagster.ingest.queue import ArrivalQueue


def seen(number: int) -> TxSeen:
    return TxSeen(-1, number, number, Lane.RPC, "node", number.to_bytes(32, "big"))


async def test_arrivals_come_out_in_order_and_in_batches():
    queue = ArrivalQueue(10)
    for number in range(5):
        assert queue.offer(seen(number))
    assert await queue.take(3) == [seen(0), seen(1), seen(2)]
    assert await queue.take(3) == [seen(3), seen(4)]


async def test_a_full_queue_refuses_counts_and_names_itself():
    counted = []
    queue = ArrivalQueue(2, on_drop=lambda *drop: counted.append(drop))
    queue.offer(seen(0))
    queue.offer(seen(1))
    assert not queue.offer(seen(2))
    with pytest.raises(QueueFull, match="the ingest queue holds 2 of 2 arrivals: dropped TxSeen of lane rpc"):
        queue.put_now(seen(3))
    assert queue.dropped == {(Lane.RPC, "node", "queue_full"): 2}
    assert counted == [(Lane.RPC, "node", "queue_full", 1)] * 2
    assert await queue.take(9) == [seen(0), seen(1)]


async def test_drops_are_reported_once():
    queue = ArrivalQueue(1)
    queue.drop(Lane.RPC, "node", "fetch_backlog", 3)
    assert queue.unreported_drops() == {(Lane.RPC, "node", "fetch_backlog"): 3}
    assert queue.unreported_drops() == {}
    assert queue.dropped.total() == 3


async def test_a_sender_that_may_wait_is_slowed_down_instead():
    queue = ArrivalQueue(1)
    await queue.put(seen(0))
    waiting = asyncio.create_task(queue.put(seen(1)))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert await queue.take(1) == [seen(0)]
    await waiting
    assert await queue.take(1) == [seen(1)]
    assert not queue.dropped


async def test_a_closed_queue_gives_what_is_left_and_then_nothing():
    queue = ArrivalQueue(4)
    queue.offer(seen(0))
    queue.close()
    assert await queue.take(4) == [seen(0)]
    assert await queue.take(4) == []


async def test_closing_wakes_a_waiting_reader():
    queue = ArrivalQueue(4)
    reader = asyncio.create_task(queue.take(4))
    await asyncio.sleep(0)
    queue.close()
    assert await reader == []
