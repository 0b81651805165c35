"""Lanes by name: what runs, what it is told, and how one of another package stands beside ours."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from mev_dagster.errors import InputError, PluginFailed
from mev_dagster.events.types import Lane, TxSeen
from mev_dagster.ingest.arrivals import UNLOGGED
from mev_dagster.ingest.lanes import registry
from mev_dagster.ingest.lanes.lane import LaneContext, LaneMaker
from mev_dagster.ingest.lanes.registry import lane_factories
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.plugins import given, load
from mev_dagster.settings import Settings
from mev_dagster.telemetry.clock import SystemClock
from mev_dagster.windows.canonical_chain import CanonicalChain
from mev_dagster.windows.memory import DecodedTransactions


class WireLane:
    """Hands over one sighting."""

    kind = Lane.PRIVATE
    connected = True

    def __init__(self, source):
        self.source = source

    async def run(self, queue):
        await queue.put(TxSeen(UNLOGGED, 1, 1, self.kind, self.source, b"\x01" * 32))


class WireMaker(LaneMaker):
    options = frozenset({"source"})

    def prepare(self, order):
        return lambda context: WireLane(str(order.options.get("source", "wire")))


class Refusing(LaneMaker):
    def prepare(self, order):
        raise InputError("the wire needs a key")


class Broken(LaneMaker):
    def prepare(self, order):
        raise RuntimeError("no such wire")


@pytest.fixture
def context():
    return LaneContext(
        SystemClock(), CanonicalChain(), lambda _: False, DecodedTransactions(), CollectorRegistry()
    )


@pytest.fixture
def install(monkeypatch):
    def put(hook):
        plugins = (*load("lanes"), given("lanes", "wire", hook))
        monkeypatch.setattr(registry, "load", lambda kind: plugins)

    return put


def told(**values):
    return Settings(**values)


def test_a_node_in_the_settings_is_followed_without_being_named(context):
    (factory,) = lane_factories(told(rpc={"url": "ws://127.0.0.1:1"}))
    assert factory(context).kind is Lane.RPC


def test_the_settings_list_of_lanes_comes_before_what_is_suggested(context):
    (factory,) = lane_factories(told(rpc={"url": "ws://127.0.0.1:1"}, lanes=[{"name": "p2p"}]))
    assert factory(context).kind is Lane.P2P


def test_each_of_the_listed_nodes_has_its_lane(context):
    listed = [{"url": "ws://127.0.0.1:1"}, {"url": "ws://127.0.0.1:2", "name": "reth"}]
    lanes = [factory(context) for factory in lane_factories(told(providers=listed))]
    assert [(lane.kind, lane.source) for lane in lanes] == [
        (Lane.RPC, "127.0.0.1:1"),
        (Lane.RPC, "reth"),
    ]


def test_the_one_node_that_is_told_comes_before_those_of_the_list(context):
    listed = [{"url": "ws://127.0.0.1:1"}, {"url": "ws://127.0.0.1:2"}]
    (factory,) = lane_factories(told(rpc={"url": "ws://127.0.0.1:3"}, providers=listed))
    assert factory(context).source == "127.0.0.1:3"


@pytest.mark.parametrize(
    ("address", "source"), [("http://127.0.0.1:8545", "127.0.0.1:8545"), ("/run/reth.ipc", "reth.ipc")]
)
def test_a_node_over_http_or_a_socket_has_its_lane_too(context, address, source):
    factories = lane_factories(told(providers=[{"url": "ws://127.0.0.1:1"}, {"url": address}]))
    assert [factory(context).source for factory in factories] == ["127.0.0.1:1", source]


@pytest.mark.parametrize(
    ("names", "flags", "message"),
    [
        ((), {}, "no lane: give --rpc"),
        (("rpc",), {}, "lane rpc needs --rpc or MEV_RPC_URL"),
        (("capture",), {}, "lane capture needs --capture"),
        (("smoke",), {}, "no lane 'smoke'; there are capture, p2p, rpc"),
        (("p2p",), {"p2p": {"colour": "red"}}, "lane p2p: no option 'colour'; there are: peers"),
        (
            ("capture",),
            {"capture": {"path": ".", "speed": "0"}},
            "--speed: expected 1, a positive number or max, found '0'",
        ),
    ],
)
def test_what_is_wrong_is_one_line(names, flags, message):
    with pytest.raises(InputError, match=message):
        lane_factories(told(), names=names, flags=flags)


def test_a_lane_of_another_package_delivers_under_its_own_name(install, context):
    install(WireMaker())
    (factory,) = lane_factories(told(), names=["wire"], flags={"wire": {"source": "wire/eu"}})
    lane, queue = factory(context), ArrivalQueue(4)
    asyncio.run(lane.run(queue))
    (event,) = asyncio.run(queue.take(4))
    metrics = IngestMetrics(CollectorRegistry())
    metrics.name_private_lanes(["wire"])
    metrics.count_events([event])
    counted = metrics.registry.get_sample_value("mev_ingest_events_total", {"lane": "wire", "kind": "TxSeen"})
    assert (event.source, counted) == ("wire/eu", 1.0)


def test_a_source_that_no_lane_of_the_daemon_has_makes_no_time_series_of_its_own():
    metrics = IngestMetrics(CollectorRegistry())
    metrics.name_private_lanes(["wire"])
    assert metrics.lane_label(Lane.PRIVATE, "a" * 99) == "private"
    assert metrics.lane_label(Lane.RPC, "wire") == "rpc"


def test_a_lane_of_another_package_cannot_speak_as_one_of_ours(install, context):
    install(WireMaker())
    (factory,) = lane_factories(told(), names=["wire"], flags={"wire": {"source": "node"}})
    with pytest.raises(PluginFailed, match="begins with 'wire'"):
        factory(context)


def test_what_another_package_was_told_wrongly_is_said_and_a_fault_of_it_leaves_it_out(install):
    install(Refusing())
    with pytest.raises(InputError, match="the wire needs a key"):
        lane_factories(told(), names=["wire"])
    install(Broken())
    with pytest.raises(InputError, match="no lane: wire cannot be used"):
        lane_factories(told(), names=["wire"])
    url = {"url": "ws://127.0.0.1:1"}
    assert len(lane_factories(told(rpc=url), names=["wire", "rpc"])) == 1
