"""geth as the judge: its node as our peer, its tool as our discovery's examiner (`make conformance`)."""

import asyncio
import random
import subprocess

import pytest
from conformance_geth import built, geth
from devp2p_clients import payment
from devp2p_nodes import CLOCK, Notes, listening, until
from prometheus_client import CollectorRegistry

from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.signing import address_of
from mev_dagster.devp2p.chain import MimicChain
from mev_dagster.devp2p.enode import parse_enode
from mev_dagster.devp2p.mempool import Listener
from mev_dagster.devp2p.metrics import P2PMetrics
from mev_dagster.devp2p.network import NetworkConfig
from mev_dagster.devp2p.node import MempoolNode, NodeConfig
from mev_dagster.devp2p.probe import probe_peer

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

KEY = keccak(b"the rich account of geth's chain")
CHAIN_ID = 1337


async def test_geth_agrees_on_the_newest_version_and_tells_its_chain(tmp_path):
    async with geth(tmp_path, address_of(KEY)) as client:
        found = await probe_peer(parse_enode(client.enode), seconds=30)
        assert found["client"].startswith("Geth/")
        assert found["eth_version"] >= 69
        genesis = await asyncio.to_thread(client.rpc.call, "eth_getBlockByNumber", ["0x0", False])
        assert "0x" + found["genesis"].hex() == genesis["hash"]


async def test_transactions_sent_to_geths_rpc_reach_us_pushed_or_announced(tmp_path):
    """Small ones may be pushed to us; one over 4096 bytes is only ever announced, so we must ask for it."""
    async with geth(tmp_path, address_of(KEY)) as client, listening() as node:
        node.network._statuses = MimicChain(CLOCK)
        peer = await node.network.dial(parse_enode(client.enode), seconds=30)
        sent = [payment(KEY, nonce, chain_id=CHAIN_ID) for nonce in range(10)]
        sent.append(payment(KEY, 10, chain_id=CHAIN_ID, data=random.Random(1).randbytes(6_000)))
        for transaction in sent:
            await client.send(transaction)
        await until(lambda: len(node.notes.bodies) == len(sent), "every body", 60)
        assert node.notes.bodies == {tx.hash: tx.raw for tx in sent}
        pulled = node.metrics.transactions.labels("2", "pull")._value.get()
        assert pulled >= 1, "the large one was fetched"
        await asyncio.sleep(35)  # longer than geth's read deadline
        assert peer.id in node.network.peers, client.log[-2000:]


async def test_geth_finds_a_pool_that_was_there_before_we_came(tmp_path):
    async with geth(tmp_path, address_of(KEY)) as client:
        sent = [payment(KEY, nonce, chain_id=CHAIN_ID) for nonce in range(30)]
        for transaction in sent:
            await client.send(transaction)
        async with listening() as node:
            node.network._statuses = MimicChain(CLOCK)
            await node.network.dial(parse_enode(client.enode), seconds=30)
            await until(lambda: len(node.notes.bodies) == 30, "the pool", 60)


async def test_geths_own_discovery_tests_pass_against_us(tmp_path):
    tool = built("devp2p")
    metrics = P2PMetrics(CollectorRegistry())
    config = NodeConfig(network=NetworkConfig(listen_port=0), discovery=True)
    node = MempoolNode(config, Listener(Notes(), CLOCK, metrics), MimicChain(CLOCK), metrics, CLOCK)
    running = asyncio.create_task(node.run())
    try:
        await until(lambda: node._record is not None or node.network.port, "our port")
        await asyncio.sleep(0.5)
        command = [str(tool), "discv4", "test", "--remote", str(node.enode), "--listen1", "127.0.0.1"]
        ended = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=300, check=False
        )
        assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-1000:]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
