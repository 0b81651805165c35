"""Minutes of hybrid ingest: three gateways on anvil's pool, two that come and go, an adversary, the store.

`MEV_SOAK_SECONDS` sets the length; the promise is made for ten minutes.
"""

import asyncio
import os
import random
from contextlib import AsyncExitStack

import psutil
import pytest
from ingest_anvil import Anvil
from ingest_processes import Daemon, wait_for
from ingest_run import transfer
from test_ingest_p2p_lane import Withholding, both_connected

from mev_dagster.devp2p.gateway import Gateway
from mev_dagster.devp2p.keys import NodeKey
from mev_dagster.devp2p.network import Network, NetworkConfig
from mev_dagster.ingest.lanes.p2p_chain import RpcChain

SECONDS = float(os.environ.get("MEV_SOAK_SECONDS", "600"))
BLOCK_SECONDS = 4.0
COVERAGE = """
    SELECT countIf(p2p > 0 AND rpc > 0), countIf(p2p > 0 AND rpc > 0 AND p2p_at < rpc_at) FROM (
        SELECT countIf(lane = 'p2p') AS p2p, countIf(lane = 'rpc') AS rpc,
               minIf(seen_at, lane = 'p2p') AS p2p_at, minIf(seen_at, lane = 'rpc') AS rpc_at
        FROM tx_sightings GROUP BY tx_hash
    )
"""


@pytest.mark.long
@pytest.mark.anvil
@pytest.mark.timeout(SECONDS * 2 + 300)
async def test_everything_honest_peers_announced_is_delivered(anvil, store, home):
    rng = random.Random(1)
    async with AsyncExitStack() as stack:
        chain = RpcChain(anvil.url.replace("ws", "http"))
        await chain.prepare()
        gateways = [Gateway(), Gateway(), Gateway(), Withholding()]
        networks = []
        for served in gateways:
            network = Network(NodeKey.generate(), served, chain.statuses, NetworkConfig(listen_port=0))
            await network.start()
            stack.push_async_callback(network.close)
            networks.append(network)
        peers = [flag for network in networks for flag in ("--peer", str(network.enode))]
        daemon = Daemon(home, "--lanes", "p2p,rpc", "--rpc", anvil.url, *peers, p2p_redial_seconds=1)
        stack.callback(daemon.kill)
        await asyncio.to_thread(wait_for, lambda: both_connected(daemon), "both lanes", 90)
        honest = await traffic(anvil, gateways, networks, rng)
        count = "SELECT count(DISTINCT tx_hash) FROM transactions"
        await asyncio.to_thread(
            wait_for, lambda: store.rows(count)[0][0] >= len(honest), "the store to catch up", 120
        )
        bodies = {row[0] for row in store.rows("SELECT tx_hash FROM transactions")}
        assert honest <= {bytes(body) for body in bodies}, "a body of an honest announcement is missing"
        lanes = dict(store.rows("SELECT lane, count(DISTINCT tx_hash) FROM tx_sightings GROUP BY lane"))
        assert lanes["p2p"] == lanes["rpc"] == len(honest)
        ((shared, p2p_first),) = store.rows(COVERAGE)
        assert shared == len(honest)
        memory = psutil.Process(daemon.process.pid).memory_info().rss // 2**20
        print(f"{len(honest)} transactions, sightings by lane {lanes}, p2p first {p2p_first}, {memory} MiB")
        daemon.process.terminate()
        assert await asyncio.to_thread(daemon.process.wait, 60) == 0


async def traffic(
    anvil: Anvil, gateways: list[Gateway], networks: list[Network], rng: random.Random
) -> set[bytes]:
    """Send at about mainnet's rate, mine now and then, pull plugs; return what honest peers announced."""
    loop = asyncio.get_running_loop()
    end, next_block, nonce = loop.time() + SECONDS, loop.time() + BLOCK_SECONDS, 0
    announced: set[bytes] = set()
    while loop.time() < end:
        batch = [transfer(nonce + offset) for offset in range(rng.randrange(1, 4))]
        nonce += len(batch)
        raws = [tx.raw for tx in batch]
        gateways[3].add(raws)  # the adversary is always first
        for served in rng.sample(gateways[:3], rng.randrange(1, 4)):
            served.add(raws)
        announced.update(tx.hash for tx in batch)
        await asyncio.to_thread(anvil.send_all, raws)
        if loop.time() > next_block:
            next_block += BLOCK_SECONDS
            await asyncio.to_thread(anvil.mine)
        if rng.random() < 0.01:
            for peer in list(networks[rng.randrange(3)].peers.values()):
                peer.connection.abort("pulled the plug")
        await asyncio.sleep(0.1)
    await asyncio.to_thread(anvil.mine)
    return announced
