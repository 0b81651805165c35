"""A lane of another package that misbehaves stops nothing but itself: other lanes and the daemon go on."""

import asyncio
import sys
import threading
from collections import Counter
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from mev_dagster import plugins
from mev_dagster.errors import InputError, NodeUnreachable, PluginFailed
from mev_dagster.events.types import Lane, LaneState, LaneStatus, TxBody, TxSeen
from mev_dagster.ingest.arrivals import UNLOGGED, BlockArrived
from mev_dagster.ingest.lanes.arrival_check import checked
from mev_dagster.ingest.lanes.isolated import IsolatedLane, LaneInbox
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.ingest.supervisor import LaneSupervisor
from mev_dagster.plugins import FailureCounter, given
from mev_dagster.telemetry.clock import SystemClock

SEEN = TxSeen(UNLOGGED, 1, 1, Lane.PRIVATE, "odd", b"\x01" * 32)


class OddLane:
    kind, source, connected = Lane.PRIVATE, "odd", False

    def __init__(self, run):
        self.run = run


@pytest.fixture
def gate():
    """What a lane hangs on, opened at the end so that no thread outlives its test."""
    opened = threading.Event()
    yield opened
    opened.set()


@pytest.fixture
def counted(monkeypatch):
    counter = FailureCounter()
    monkeypatch.setattr(plugins, "FAILURES", counter)
    return counter


@pytest.fixture
def queue():
    return ArrivalQueue(64)


def isolated(run, silent_seconds=60):
    return IsolatedLane(given("lanes", "odd", object()), OddLane(run), silent_seconds=silent_seconds)


def supervised(lane, queue, **options):
    return LaneSupervisor(lane, queue, IngestMetrics(CollectorRegistry()), SystemClock(), **options)


def blocking(gate):
    async def run(queue):
        gate.wait()

    return run


def spinning(gate):
    async def run(queue):
        while not gate.is_set():
            pass

    return run


def flooding(gate):
    async def run(queue):
        while not gate.is_set():
            queue.offer(SEEN)

    return run


def raising(gate):
    async def run(queue):
        raise RuntimeError("no such wire")

    return run


def exiting(gate):
    async def run(queue):
        sys.exit(1)

    return run


def misconfigured(gate):
    async def run(queue):
        raise InputError("the wire needs a key")

    return run


def lying(gate):
    async def run(queue):
        await queue.put("a transaction")

    return run


def plain(gate):
    return lambda queue: None


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (blocking, "timed_out"),
        (spinning, "timed_out"),
        (flooding, "timed_out"),
        (raising, "raised"),
        (exiting, "raised"),
        (misconfigured, "raised"),
        (lying, "raised"),
        (plain, "raised"),
    ],
)
async def test_a_lane_that_fails_is_named_and_counted_and_ours_deliver_on(
    queue, gate, counted, behaviour, reason
):
    async def ours():
        await queue.put(LaneStatus(UNLOGGED, 1, 1, Lane.RPC, "node", LaneState.CONNECTED, ""))

    silent_seconds = 0.3 if reason == "timed_out" else 60
    with pytest.raises(PluginFailed) as failed:
        await isolated(behaviour(gate), silent_seconds).run(queue)
    gate.set()
    await asyncio.wait_for(ours(), 30)
    assert failed.value.reason == reason
    assert counted.count("lanes", reason) == 1
    assert len(queue) <= queue.capacity // 2 + 1


async def test_a_run_of_once_goes_on_without_it(queue, gate, counted):
    supervisor = supervised(isolated(raising(gate)), queue, restart=False)
    await asyncio.wait_for(supervisor.run(), 60)
    assert "no such wire" in supervisor.last_error


async def test_a_lane_whose_source_is_lost_is_no_fault_of_the_plugin(queue, counted):
    async def run(queue):
        raise NodeUnreachable("the wire is cut")

    with pytest.raises(NodeUnreachable, match="the wire is cut"):
        await isolated(run, silent_seconds=30).run(queue)
    assert counted.count("lanes", "raised") == 0


async def test_a_lane_left_behind_is_not_run_a_second_time_beside_itself(queue, gate, counted):
    runs = []

    async def run(queue):
        runs.append(1)
        gate.wait()

    lane = isolated(run, silent_seconds=0.3)
    for _ in range(3):
        with pytest.raises(PluginFailed, match="stood still"):
            await lane.run(queue)
    assert len(runs) == 1
    assert counted.count("lanes", "timed_out") == 1


async def test_what_a_lane_delivers_comes_in_order_and_whole(queue):
    seen = [replace(SEEN, tx_hash=bytes([n]) * 32) for n in range(200)]

    async def run(queue):
        for one in seen:
            await queue.put(one)

    running = asyncio.create_task(isolated(run, silent_seconds=30).run(queue))
    taken = []
    while len(taken) < len(seen):
        taken += await asyncio.wait_for(queue.take(16), 60)
    await running
    assert taken == seen


async def test_a_flood_is_counted_as_drops_of_its_own_lane(gate):
    dropped = Counter()
    queue = ArrivalQueue(8, on_drop=lambda lane, source, reason, count: dropped.update({source: count}))
    inbox = LaneInbox(queue, "odd", "odd")
    accepted = sum(inbox.offer(SEEN) for _ in range(100))
    await inbox.flush()
    assert accepted == inbox.capacity == len(queue)
    assert dropped == {"odd": 100 - accepted}


async def test_an_attribute_that_raises_is_a_lane_that_is_not_connected(queue):
    class Raising(OddLane):
        @property
        def connected(self):
            raise RuntimeError("who knows")

        @connected.setter
        def connected(self, value):
            pass

    async def run(queue):
        await asyncio.sleep(0.3)

    lane = IsolatedLane(given("lanes", "odd", object()), Raising(run), silent_seconds=30)
    await lane.run(queue)
    assert lane.connected is False


async def test_a_lane_that_never_ends_holds_up_no_close(queue, gate, counted):
    async def run(queue):
        while not gate.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    running = asyncio.create_task(isolated(run, silent_seconds=30).run(queue))
    await asyncio.sleep(0.05)
    running.cancel()
    done, _ = await asyncio.wait({running}, timeout=60)
    assert done == {running}


@pytest.mark.parametrize(
    "arrival",
    [
        None,
        "text",
        object(),
        replace(SEEN, lane=Lane.RPC),
        replace(SEEN, lane=3),
        replace(SEEN, source="node"),
        replace(SEEN, source=5),
        replace(SEEN, source="odd/" + "x" * 70_000),
        replace(SEEN, tx_hash=b"short"),
        replace(SEEN, tx_hash="0x" + "11" * 32),
        replace(SEEN, wall_ns="now"),
        replace(SEEN, wall_ns=1 << 70),
        replace(SEEN, mono_ns=1.5),
        replace(SEEN, announced_size=-1),
        replace(SEEN, peer=b"peer"),
        TxBody(UNLOGGED, 1, 1, Lane.PRIVATE, "odd", b"\x01" * 32, "raw"),
        TxBody(UNLOGGED, 1, 1, Lane.PRIVATE, "odd", b"\x01" * 32, b"\x00" * (1 << 26)),
        LaneStatus(UNLOGGED, 1, 1, Lane.PRIVATE, "odd", "gone", ""),
        LaneStatus(UNLOGGED, 1, 1, Lane.PRIVATE, "odd", LaneState.GAP, None),
        BlockArrived(1, 1, Lane.PRIVATE, "odd", {"number": 1}),
    ],
)
def test_what_the_log_could_not_hold_is_refused_before_it_is_queued(arrival):
    with pytest.raises((TypeError, ValueError, AttributeError)):
        checked(arrival, "odd")


def test_what_the_log_holds_is_handed_on_unnumbered():
    assert checked(replace(SEEN, seq=7), "odd") == SEEN
