"""Lanes come and go while the daemon runs; those that stay are not touched."""

import asyncio
import random

import pytest
from ingest_anvil import until
from prometheus_client import CollectorRegistry

from mev_dagster.errors import InputError
from mev_dagster.events.types import Lane, LaneState
from mev_dagster.ingest.lane_set import LaneSet
from mev_dagster.ingest.lanes.registry import lane_factories
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.settings import Settings
from mev_dagster.telemetry.clock import SystemClock


class Waiting:
    """A lane that delivers nothing and never ends; it remembers how often it was started and ended."""

    kind = Lane.RPC

    def __init__(self, source: str, ending: BaseException | None = None) -> None:
        self.source, self.connected, self.starts, self.ended = source, False, 0, False
        self.ending = ending

    async def run(self, queue) -> None:
        self.connected, self.starts = True, self.starts + 1
        if self.ending is not None:
            raise self.ending
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = True


def made(*lanes):
    return [lambda _, lane=lane: lane for lane in lanes]


def lane_set(*lanes):
    queue, metrics = ArrivalQueue(99), IngestMetrics(CollectorRegistry())
    clock = SystemClock()
    return (
        LaneSet(made(*lanes), lambda: None, queue, metrics, clock, rng=random.Random(1), restart=True),
        queue,
        metrics,
    )


async def test_a_change_starts_what_is_new_ends_what_is_gone_and_leaves_the_rest_alone():
    one, two, three = Waiting("one"), Waiting("two"), Waiting("three")
    lanes, queue, metrics = lane_set(one, two)
    running = asyncio.create_task(lanes.run(continues=False, stays=True))
    await until(lambda: one.connected and two.connected, "both lanes")
    changed = await lanes.change(made(Waiting("two"), three))
    await until(lambda: three.connected, "the new lane")
    assert changed == {"started": ["rpc three"], "ended": ["rpc one"], "kept": ["rpc two"]}
    assert (one.ended, one.starts, two.starts, two.ended, three.starts) == (True, 1, 1, False, 1)
    [status] = await queue.take(9)
    assert (status.source, status.state, status.reason) == (
        "one", LaneState.DISCONNECTED, "the lane was taken away",
    )  # fmt: skip
    assert set(lanes.health()) == {"rpc", "rpc three"}
    assert metrics.registry.get_sample_value("mev_lane_up", {"lane": "rpc"}) == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (two.ended, three.ended) == (True, True)


async def test_a_daemon_whose_lanes_have_all_gone_waits_for_others():
    one, two = Waiting("one"), Waiting("two")
    lanes, _, _ = lane_set(one)
    running = asyncio.create_task(lanes.run(continues=False, stays=True))
    await until(lambda: one.connected, "the lane")
    await lanes.change([])
    assert lanes.not_ready() == "no lane is connected"
    await lanes.change(made(two))
    await until(lambda: two.connected, "the other lane")
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_no_restart_mends_ends_the_set_and_every_other_lane():
    one = Waiting("one")
    lanes, _, _ = lane_set(one, Waiting("two", InputError("a wrong flag")))
    with pytest.raises(InputError, match="a wrong flag"):
        await asyncio.wait_for(lanes.run(continues=False, stays=True), 10)
    assert one.ended or not one.starts


@pytest.mark.parametrize(("mode", "count"), [("rpc", 2), ("p2p", 1), ("hybrid", 3)])
def test_a_mode_is_its_lanes_and_each_provider_is_one(tmp_path, mode, count):
    told = Settings(
        home=tmp_path, ingest={"mode": mode}, providers=[{"url": "ws://one:1"}, {"url": "http://two:2"}]
    )
    assert len(lane_factories(told)) == count


def test_lanes_that_are_named_win_over_the_mode(tmp_path):
    told = Settings(home=tmp_path, ingest={"mode": "hybrid"}, rpc={"url": "ws://one:1"})
    assert len(lane_factories(told, names=["rpc"])) == 1


def test_an_unknown_mode_is_refused():
    with pytest.raises(InputError, match=r"ingest\.mode"):
        Settings(ingest={"mode": "everything"})
