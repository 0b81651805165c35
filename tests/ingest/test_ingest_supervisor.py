"""A lane that dies comes back with back-off and leaves one gap an outage; what cannot mend is raised."""

import asyncio
import random

import pytest
from prometheus_client import CollectorRegistry

from mev_dagster.errors import InputError, NodeUnreachable
from mev_dagster.events.types import Lane, LaneState, LaneStatus, TxSeen
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.ingest.supervisor import RESTARTED, LaneSupervisor
from mev_dagster.telemetry.clock import VirtualClock


class ScriptedLane:
    """Plays a list of outcomes: connected or not, then how it ends (None: its source is exhausted)."""

    kind = Lane.RPC
    source = "node"

    def __init__(self, *script) -> None:
        self.connected = False
        self.script = list(script)

    async def run(self, queue) -> None:
        connects, ending = self.script.pop(0)
        self.connected = bool(connects)
        if connects == "data":
            queue.offer(TxSeen(-1, 1, 1, self.kind, self.source, b"\x01" * 32))
        if ending is not None:
            raise ending


async def supervised(*script, **options):
    queue = ArrivalQueue(100)
    lane, metrics, clock = ScriptedLane(*script), IngestMetrics(CollectorRegistry()), VirtualClock()
    supervisor = LaneSupervisor(lane, queue, metrics, clock, rng=random.Random(1), **options)
    await asyncio.wait_for(supervisor.run(), 5)
    queue.close()
    statuses = []
    while batch := await queue.take(10):
        statuses += [one for one in batch if isinstance(one, LaneStatus)]
    return statuses, metrics, clock


async def test_an_outage_of_many_tries_is_one_gap():
    lost = NodeUnreachable("no answer from ws://node:1")
    statuses, metrics, _ = await supervised((False, lost), (False, lost), (False, lost), (True, None))
    assert [(status.state, status.reason) for status in statuses] == [(LaneState.GAP, str(lost))]
    assert metrics.registry.get_sample_value("mev_lane_restarts_total", {"lane": "rpc"}) == 3


async def test_a_lane_lost_while_connected_says_so_first():
    lost = NodeUnreachable("lost ws://node:1: no close frame received or sent")
    statuses, _, _ = await supervised((True, lost), (False, lost), (True, lost), (True, None))
    assert [status.state for status in statuses] == [LaneState.DISCONNECTED, LaneState.GAP] * 2


async def test_a_fault_in_a_lane_is_survived_like_a_loss():
    statuses, _, _ = await supervised((True, ZeroDivisionError("bug")), (True, None))
    assert statuses[0].reason == "ZeroDivisionError: bug"


async def test_waits_double_up_to_a_limit_and_start_over_after_data_and_nothing_less():
    waits = [RESTARTED.backoff.seconds(1, random.Random(seed)) for seed in range(50)]
    assert 0.125 <= min(waits) <= max(waits) <= 0.25
    assert RESTARTED.backoff.seconds(20, random.Random(0)) <= 30.0
    lost = NodeUnreachable("x")
    _, _, one = await supervised(*[(False, lost)] * 6, (True, None))
    _, _, two = await supervised(*[(True, lost)] * 6, (True, None))
    _, _, three = await supervised(*[("data", lost)] * 6, (True, None))
    assert three.mono_ns() < two.mono_ns() == one.mono_ns()


async def test_what_no_restart_mends_is_raised():
    with pytest.raises(InputError):
        await supervised((False, InputError("expected chain id 1")))


async def test_without_restart_the_loss_is_raised():
    with pytest.raises(NodeUnreachable):
        await supervised((False, NodeUnreachable("x")), restart=False)
