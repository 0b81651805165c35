"""A subscription that says nothing while the node has news is a fault, and is told as one."""

import asyncio

import pytest
from ingest_run import transfer
from prometheus_client import CollectorRegistry

from mev_dagster.chain.jsonrpc import transaction_to_rpc
from mev_dagster.errors import NodeMethodMissing, NodeUnreachable
from mev_dagster.events.types import Lane
from mev_dagster.ingest.head_lags import HeadLags
from mev_dagster.ingest.lane_set import LaneSet
from mev_dagster.ingest.lanes.rpc_pool import FIRST_PAUSE_NS, PoolReader
from mev_dagster.ingest.lanes.rpc_silence import QUIET_NS, PendingSilence
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.telemetry.clock import VirtualClock


def test_a_pool_that_shows_what_a_quiet_subscription_did_not_makes_it_mute_until_it_speaks():
    silence = PendingSilence()
    assert not silence.pool_showed(3, notified_ns=100, now_ns=100 + QUIET_NS)
    assert silence.pool_showed(3, notified_ns=100, now_ns=101 + QUIET_NS)
    assert "the pool showed 3 transactions" in silence.why
    silence.heard(100)
    assert silence.why
    silence.heard(102 + QUIET_NS)
    assert silence.why == ""


def test_a_quiet_network_is_no_silence():
    silence = PendingSilence()
    assert not silence.pool_showed(0, notified_ns=1, now_ns=10 * QUIET_NS)
    assert not silence.block_brought(0, notified_ns=1, now_ns=10 * QUIET_NS)
    assert silence.why == ""


def test_blocks_full_of_unseen_transactions_make_a_quiet_subscription_mute():
    silence = PendingSilence()
    assert not silence.block_brought(2, notified_ns=1, now_ns=2 * QUIET_NS)  # a builder's own
    assert silence.block_brought(2, notified_ns=1, now_ns=3 * QUIET_NS)
    assert "blocks held 4 transactions" in silence.why


def test_a_subscription_that_speaks_is_not_judged_by_what_it_lacks():
    silence = PendingSilence()
    for slot in range(1, 9):
        assert not silence.block_brought(5, notified_ns=slot * QUIET_NS, now_ns=slot * QUIET_NS + 5)


class Told:
    """A lane that is connected and says what its source keeps from it."""

    kind, source = Lane.RPC, "node"

    def __init__(self, trouble: str, connected: bool = True) -> None:
        self.trouble, self.connected = trouble, connected

    async def run(self, queue) -> None:
        await asyncio.Event().wait()


def lane_set(*lanes):
    metrics = IngestMetrics(CollectorRegistry())
    factories = [lambda _, lane=lane: lane for lane in lanes]
    return LaneSet(
        factories, lambda: None, ArrivalQueue(9), metrics, VirtualClock(), rng=None, restart=True
    )  # fmt: skip


@pytest.mark.parametrize(
    ("lanes", "why"),
    [
        ([Told("mute")], "mute"),
        ([Told("mute"), Told("")], ""),
        ([Told("mute"), Told("", connected=False)], "mute"),
        ([Told("", connected=False)], "no lane is connected"),
    ],
)
def test_the_daemon_is_ready_while_one_lane_delivers_all_its_node_has(lanes, why):
    assert lane_set(*lanes).not_ready() == why


async def test_a_head_that_stands_still_grows_old_until_the_next_is_logged():
    clock = VirtualClock()
    lags = HeadLags(CollectorRegistry(), clock)
    await clock.sleep(61.0)
    assert lags.still.seconds() == pytest.approx(61.0)


class PoolNode:
    """A node that has some methods; one that is `deadly` costs the connection."""

    def __init__(self, answers, deadly=()) -> None:
        self.answers, self.deadly = answers, deadly
        self.asked = []

    async def call(self, method, *params, timeout_seconds):
        self.asked.append(method)
        if method in self.deadly:
            raise NodeUnreachable("lost ws://node: frame too large")
        if method not in self.answers:
            raise NodeMethodMissing(f"{method}: no such method")
        return self.answers[method]

    async def close(self) -> None:
        pass


def reader_of(node, monkeypatch, clock):
    async def opened(*_, **__):
        return node

    monkeypatch.setattr("mev_dagster.ingest.lanes.rpc_pool.open_node", opened)
    return PoolReader("ws://node:1", clock, senders=lambda _: [b"s" * 20])


ONE = transaction_to_rpc(transfer(3))


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("txpool_content", {"pending": {"0xa": {"3": ONE}}, "queued": {}}),
        ("eth_pendingTransactions", [ONE]),
        ("txpool_contentFrom", {"pending": {"3": ONE}, "queued": {}}),
        ("eth_getBlockByNumber", {"number": "0x1", "transactions": [ONE]}),
    ],
)
async def test_a_pool_is_read_by_whatever_method_the_node_has(monkeypatch, method, answer):
    reader = reader_of(PoolNode({method: answer}), monkeypatch, VirtualClock())
    assert await reader.read() == [ONE]
    assert reader.reason == method


async def test_a_method_that_ends_the_connection_makes_room_for_the_next_one(monkeypatch):
    clock = VirtualClock()
    node = PoolNode({"eth_pendingTransactions": [ONE]}, deadly={"txpool_content"})
    reader = reader_of(node, monkeypatch, clock)
    assert await reader.read() is None
    await clock.sleep(FIRST_PAUSE_NS / 1e9)
    assert await reader.read() == [ONE]
    await clock.sleep(FIRST_PAUSE_NS / 1e9)
    assert await reader.read() == [ONE]
    assert node.asked == ["txpool_content", "eth_pendingTransactions", "eth_pendingTransactions"]
