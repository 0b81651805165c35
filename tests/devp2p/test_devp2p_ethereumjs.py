"""Independent peers from npm: the EthereumJS library both ways, and the whole client."""

import asyncio
import random

import pytest
from devp2p_clients import LibraryPeer, ethereumjs, payment
from devp2p_nodes import CLOCK, ListeningNode, Notes, listening, until
from prometheus_client import CollectorRegistry

from mev_dagster.chain.keccak import keccak
from mev_dagster.devp2p.chain import MimicChain
from mev_dagster.devp2p.enode import parse_enode
from mev_dagster.devp2p.mempool import Listener
from mev_dagster.devp2p.metrics import P2PMetrics
from mev_dagster.devp2p.network import NetworkConfig
from mev_dagster.devp2p.node import MempoolNode, NodeConfig

DEV_CHAIN_ID = 123_456


def mimicking(node: ListeningNode) -> ListeningNode:
    node.network._statuses = MimicChain(CLOCK)
    return node


async def test_we_dial_the_library_and_drain_its_pool():
    peer = await LibraryPeer.start(1_500)
    try:
        async with listening() as node:
            joined = await mimicking(node).network.dial(parse_enode(peer.enode), seconds=60)
            assert joined.version == 68
            await until(lambda: node.notes.bodies.keys() >= peer.hashes, "every body", 60)
            assert {tx_hash for _, tx_hash in node.notes.seen} == peer.hashes
            assert all(keccak(raw) == tx_hash for tx_hash, raw in node.notes.bodies.items())
    finally:
        await peer.stop()


async def test_the_library_dials_us_and_we_drain_its_pool():
    async with listening() as node:
        mimicking(node)
        peer = await LibraryPeer.start(600, dial=str(node.network.enode))
        try:
            await until(lambda: node.notes.bodies.keys() >= peer.hashes, "every body", 60)
        finally:
            await peer.stop()
        await until(lambda: node.notes.peers == 0, "the peer to be missed")


async def test_a_transaction_sent_to_the_clients_rpc_is_announced_and_fetched(tmp_path):
    async with ethereumjs(tmp_path, "--discV4=false") as client, listening() as node:
        joined = await mimicking(node).network.dial(parse_enode(client.enode), seconds=60)
        assert joined.ready.hello.client.startswith("EthereumJS")
        transactions = [payment(client.rich_key, nonce, chain_id=DEV_CHAIN_ID) for nonce in range(3)]
        for transaction in transactions:
            await client.send(transaction)
        expected = {tx.hash: tx.raw for tx in transactions}
        await until(lambda: node.notes.bodies == expected, "the client's pool", 60)


def discoverable(tmp_path) -> tuple[MempoolNode, Listener]:
    """A whole node that takes part in discovery and has been told of nobody."""
    metrics = P2PMetrics(CollectorRegistry())
    listener = Listener(Notes(), CLOCK, metrics)
    config = NodeConfig(
        folder=tmp_path / "p2p", network=NetworkConfig(listen_port=0), discovery=True, redial_seconds=1.0
    )
    node = MempoolNode(config, listener, MimicChain(CLOCK), metrics, CLOCK, rng=random.Random(1))
    return node, listener


async def test_the_client_discovers_and_dials_us(tmp_path):
    node, _ = discoverable(tmp_path)
    running = asyncio.create_task(node.run())
    try:
        await until(lambda: node.network.port, "our port")
        async with ethereumjs(tmp_path, "--discV4=true", f"--bootnodes={node.enode}"):
            await until(lambda: node.network.peers, "the client", 90)
            (peer,) = node.network.peers.values()
            assert peer.ready.hello.client.startswith("EthereumJS")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert (tmp_path / "p2p" / "nodekey").stat().st_mode & 0o777 == 0o600


@pytest.mark.long
async def test_a_session_with_the_client_holds_for_minutes(tmp_path):
    async with ethereumjs(tmp_path, "--discV4=false") as client, listening() as node:
        joined = await mimicking(node).network.dial(parse_enode(client.enode), seconds=60)
        for count in range(1, 7):
            await asyncio.sleep(30)
            assert joined.id in node.network.peers, client.log[-2000:]
            await client.send(payment(client.rich_key, count - 1, chain_id=DEV_CHAIN_ID))
            await until(lambda count=count: len(node.notes.bodies) == count, "a body", 30)
