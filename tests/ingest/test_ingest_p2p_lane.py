"""The p2p lane, alone and beside an RPC lane: gateways serve over real RLPx, one adversary among them."""

import asyncio
import json
import random
import subprocess
from contextlib import AsyncExitStack
from functools import partial

import pytest
from ingest_anvil import Anvil, until
from ingest_processes import Daemon, start, wait_for
from ingest_run import new_pipeline, running, transfer
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from mev_dagster.cli import main
from mev_dagster.devp2p.chain import KnownChain
from mev_dagster.devp2p.gateway import Gateway
from mev_dagster.devp2p.keys import NodeKey
from mev_dagster.devp2p.metrics import P2PMetrics
from mev_dagster.devp2p.network import NetworkConfig, PeerNetwork
from mev_dagster.devp2p.node import NodeConfig
from mev_dagster.devp2p.responder import RecentTransactions
from mev_dagster.errors import InputError
from mev_dagster.events.types import LaneState, LaneStatus, TxBody, TxRejected, TxSeen
from mev_dagster.ingest.gateway import GENERATED_CHAIN_ID, generated_transactions, synthetic_head
from mev_dagster.ingest.lanes.p2p import P2PLane, node_config
from mev_dagster.ingest.lanes.p2p_chain import Mimicry, RpcChain
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.settings import Settings
from mev_dagster.telemetry.clock import SystemClock

CLOCK = SystemClock()


class Withholding(Gateway):
    """Announces everything first and never delivers."""

    def message(self, peer, message, wall_ns, mono_ns) -> None:
        pass


async def gateway(stack: AsyncExitStack, served: Gateway, key: NodeKey | None = None) -> PeerNetwork:
    statuses = KnownChain(synthetic_head(GENERATED_CHAIN_ID))
    network = PeerNetwork(key or NodeKey.generate(), served, statuses, NetworkConfig(listen_port=0))
    await network.start()
    stack.push_async_callback(network.close)
    return network


def lane_to(*networks: PeerNetwork, redial_seconds: float = 0.1) -> P2PLane:
    config = NodeConfig(static=tuple(network.enode for network in networks), redial_seconds=redial_seconds)
    return P2PLane(config, Mimicry(CLOCK, GENERATED_CHAIN_ID), CLOCK, P2PMetrics(CollectorRegistry()))


async def test_every_announcement_of_every_peer_is_a_sighting_and_every_body_comes_once():
    raws = [raw for raw, _ in zip(generated_transactions(3), range(300), strict=False)]
    async with AsyncExitStack() as stack:
        gateways = [Gateway(), Gateway(), Withholding()]
        networks = [await gateway(stack, served) for served in gateways]
        async with running(lane_to(*networks), new_pipeline(GENERATED_CHAIN_ID)) as run:
            await until(lambda: all(network.peers for network in networks), "three sessions")
            for served in reversed(gateways):
                served.add(raws)
            await until(lambda: len(run.of(TxBody)) == 300, "every body", 60)
            seen = run.of(TxSeen)
            assert len({(event.tx_hash, event.peer) for event in seen}) == len(seen) == 900
            assert {event.peer for event in seen} == {network.key.id[:8].hex() for network in networks}
            assert all(event.announced_size and event.announced_type in (0, 2) for event in seen)
            assert {event.raw for event in run.of(TxBody)} == set(raws)
            assert run.of(TxRejected) == []


async def test_churn_and_an_adversary_lose_nothing_that_an_honest_peer_announced():
    """Peers come back under the same identity; the pool they announce is the same."""
    rng = random.Random(5)
    made = generated_transactions(8)
    async with AsyncExitStack() as stack:
        pool = RecentTransactions()
        honest, churning, adversary = Gateway(), Gateway(pool=pool), Withholding()
        networks = [await gateway(stack, served) for served in (honest, churning, adversary)]
        lane = lane_to(*networks)
        async with running(lane, new_pipeline(GENERATED_CHAIN_ID)) as run:
            await until(lambda: all(network.peers for network in networks), "three sessions")
            sent: set[bytes] = set()
            for round_ in range(12):
                raws = [next(made) for _ in range(25)]
                sent.update(raws)
                adversary.add(raws)
                (honest if rng.random() < 0.5 else churning).add(raws)
                if round_ % 3 == 2:
                    for peer in list(networks[1].peers.values()):
                        peer.connection.abort("pulled the plug")
                await asyncio.sleep(0.1)
            await until(lambda: {event.raw for event in run.of(TxBody)} == sent, "every body", 60)


async def test_a_lane_without_peers_says_so_in_the_log():
    async with AsyncExitStack() as stack:
        network = await gateway(stack, Gateway())
        lane = lane_to(network, redial_seconds=30.0)
        async with running(lane, new_pipeline(GENERATED_CHAIN_ID)) as run:
            await until(lambda: lane.connected, "a peer")
            await network.close()
            await until(lambda: len(run.of(LaneStatus)) == 2, "two reports")
            states = [status.state for status in run.of(LaneStatus)]
            assert states == [LaneState.CONNECTED, LaneState.GAP]


async def test_a_nearly_full_queue_sheds_announcements_before_bodies():
    raws = [raw for raw, _ in zip(generated_transactions(4), range(200), strict=False)]
    async with AsyncExitStack() as stack:
        served = Gateway()
        network = await gateway(stack, served)
        lane = lane_to(network)
        queue = ArrivalQueue(250)
        task = asyncio.create_task(lane.run(queue))
        await until(lambda: lane.connected, "a peer")
        served.add(raws)
        await until(lambda: queue.dropped.total() == 200, "announcements to be shed")
        await until(lambda: sum(isinstance(item, TxBody) for item in queue._items) == 200, "every body")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_bodies_that_a_full_queue_refused_come_when_there_is_room_again():
    raws = [raw for raw, _ in zip(generated_transactions(5), range(200), strict=False)]
    async with AsyncExitStack() as stack:
        served = Gateway()
        network = await gateway(stack, served)
        lane = lane_to(network)
        queue, received = ArrivalQueue(60), set[bytes]()

        async def drain() -> None:
            for arrival in await queue.take(60):
                if isinstance(arrival, TxBody):
                    assert arrival.raw not in received, "once"
                    received.add(arrival.raw)

        task = asyncio.create_task(lane.run(queue))
        await until(lambda: lane.connected, "a peer")
        served.add(raws)
        await until(lambda: len(queue) == queue.capacity, "the queue to be full")
        while received != set(raws):
            async with asyncio.timeout(30):
                await drain()
        assert not any(reason == "queue_full" for _, _, reason in queue.dropped), "no body counts as lost"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_settings_name_the_peers_and_an_unknown_chain_has_no_public_list(tmp_path, capsys):
    key = NodeKey(b"\x01" * 32)
    url = f"enode://{key.id.hex()}@127.0.0.1:30303"
    config = node_config(Settings(home=tmp_path, p2p={"peers": f"{url}, {url}", "port": 0}))
    assert [str(enode) for enode in config.static] == [url, url]
    assert config.discovery
    with pytest.raises(InputError, match="no public list"):
        node_config(Settings(home=tmp_path, chain_id=1337, p2p={"dns_list": "public"}))
    with pytest.raises(SystemExit) as ended:
        main(["ingest", "--lanes", "p2p", "--peer", "enode://nonsense"])
    assert ended.value.code == 2
    assert "enode: expected" in capsys.readouterr().err


# The whole way: anvil, a gateway in front of its pool, the daemon with both lanes, the store


@pytest.fixture
def gateway_process(anvil: Anvil, tmp_path):
    with (tmp_path / "gateway.json").open("wb") as out:
        process = start(tmp_path, "p2p", "gateway", "--rpc", anvil.url, "--json", stdout=out)
    enode = wait_for((tmp_path / "gateway.json").read_text, "the gateway", 60)
    yield json.loads(enode)["enode"]
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()


@pytest.mark.anvil
def test_hybrid_brings_both_lanes_into_the_store(anvil, store, home, gateway_process):
    daemon = Daemon(
        home, "--lanes", "p2p,rpc", "--rpc", anvil.url, "--peer", gateway_process, p2p_redial_seconds=1
    )
    try:
        wait_for(partial(both_connected, daemon), "both lanes", 60)
        sent = [transfer(nonce) for nonce in range(20)]
        for tx in sent:
            anvil.send(tx.raw)
        count = "SELECT lane, count(DISTINCT tx_hash) FROM tx_sightings GROUP BY lane ORDER BY lane"
        wait_for(lambda: sorted(n for _, n in store.rows(count)) == [20, 20], "sightings of both lanes", 60)
        assert {str(lane) for lane, _ in store.rows(count)} == {"p2p", "rpc"}
        metrics = daemon.get("/metrics")[1]
        assert 'mev_lane_up{lane="p2p"} 1.0' in metrics
        assert 'mev_p2p_peers{client="mev_dagster",direction="out",eth="71"} 1.0' in metrics
    finally:
        daemon.kill()


@pytest.mark.anvil
async def test_metrics_tell_decode_time_delivery_time_and_which_lane_was_first(anvil, home):
    """Ten transactions only a peer has, so that they are fetched; ten both have, so that lanes compare."""
    async with AsyncExitStack() as stack:
        chain = RpcChain(anvil.url.replace("ws", "http"))
        await chain.prepare()
        served = Gateway()
        network = PeerNetwork(NodeKey.generate(), served, chain.statuses, NetworkConfig(listen_port=0))
        await network.start()
        stack.push_async_callback(network.close)
        peers = ("--peer", str(network.enode))
        daemon = Daemon(home, "--lanes", "p2p,rpc", "--rpc", anvil.url, *peers, p2p_redial_seconds=1)
        stack.callback(daemon.kill)
        await asyncio.to_thread(wait_for, partial(both_connected, daemon), "both lanes", 60)
        sent = [transfer(nonce).raw for nonce in range(20)]
        served.add(sent)
        await asyncio.to_thread(anvil.send_all, sent[:10])

        def counted() -> dict | None:
            found = samples(daemon)
            compared = found.get("mev_first_seen_delta_seconds_count", {})
            fetched = found["mev_p2p_announce_to_payload_seconds_count"][()]
            return found if sum(compared.values()) == 10 and fetched >= 10 else None

        found = await asyncio.to_thread(wait_for, counted, "ten comparisons and ten bodies", 60)
        compared = found["mev_first_seen_delta_seconds_count"]
        assert compared.keys() <= {("p2p", "rpc"), ("rpc", "p2p")}
        assert found["mev_p2p_announce_to_payload_seconds_sum"][()] > 0
        timed = found["mev_p2p_decode_seconds_count"]
        assert timed["PooledTransactions",] >= 1
        assert timed["NewPooledTransactionHashes",] == 1, "one announcement in 32"


def samples(daemon: Daemon) -> dict[str, dict[tuple[str, ...], float]]:
    """Every sample of /metrics by name and label values."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(daemon.get("/metrics")[1]):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def both_connected(daemon: Daemon) -> bool:
    lanes = daemon.health().get("lanes", {})
    return all(lanes.get(name, {}).get("connected") for name in ("p2p", "rpc"))
