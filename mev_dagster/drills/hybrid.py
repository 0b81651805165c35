"""The stage of the p2p drills: a real anvil, devp2p peers beside it, and the daemon with both lanes.

    traffic ──▶ anvil's pool ─────────────── rpc lane ──┐
       └──────▶ three honest peers, one adversary ── p2p lane ──▶ event log ──▶ store

Some transactions go to the node alone and some to peers alone, so that each lane has what the other has not;
what honest peers announce must come, by whatever lane.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mev_dagster.chain.forks import DEVNET_CHAIN_ID
from mev_dagster.chain.jsonrpc import quantity
from mev_dagster.chain.transactions import Transaction
from mev_dagster.demo.anvil import AnvilNode
from mev_dagster.demo.cast import Fees, Wallet
from mev_dagster.devp2p.gateway import Gateway
from mev_dagster.devp2p.responder import RecentTransactions
from mev_dagster.drills.peers import DrillPeer, GarblingGateway, StallingGateway
from mev_dagster.drills.processes import IngestProcess, StoreProcess, wait_until
from mev_dagster.hexadecimal import to_hex
from mev_dagster.ingest.lanes.p2p_chain import RpcChain
from mev_dagster.node.http import JsonRpc
from mev_dagster.settings import Settings
from mev_dagster.store.client import Store, open_store
from mev_dagster.units import GWEI

HONEST = 3
TICK_SECONDS = 0.2
BLOCK_SECONDS = 4
REDIAL_SECONDS = 1
POOL_SECONDS = 90  # of traffic that a peer keeps: one that rejoins tells all it has
POOL_LEAST = 256
PEERS_ONLY, NODE_ONLY = 0.1, 0.1  # shares of the traffic
STORED_HASHES = "SELECT DISTINCT tx_hash FROM transactions"


@dataclass(slots=True)
class Announced:
    """What was given to whom."""

    honest: set[bytes] = field(default_factory=set)
    peers_only: set[bytes] = field(default_factory=set)
    node_only: set[bytes] = field(default_factory=set)


class HybridStage:
    """Everything that runs during a drill."""

    def __init__(
        self,
        settings: Settings,
        node: AnvilNode,
        honest: list[DrillPeer],
        adversary: DrillPeer,
        store_process: StoreProcess,
        daemon: IngestProcess,
        rng: random.Random,
    ) -> None:
        self.settings, self.node = settings, node
        self.honest, self.adversary = honest, adversary
        self.store_process, self.daemon = store_process, daemon
        self.rng = rng
        self.announced = Announced()
        self._rpc = JsonRpc(node.http_url)
        self._both, self._alone = Wallet("p2p drill"), Wallet("p2p drill, peers only")
        self._due = 0.0
        self._rpc.call("anvil_setBalance", [to_hex(self._both.address), quantity(10**24)])

    def wait_for_lanes(self) -> None:
        """Wait until both lanes deliver."""
        wait_until(lambda: self.daemon.is_connected("p2p", "rpc"), "both lanes")

    async def send(self, seconds: float, per_second: float) -> None:
        """Send what is due after so many seconds."""
        self._due += seconds * per_second
        count, self._due = int(self._due), self._due % 1
        to_node = [raw for _ in range(count) if (raw := self._send_one()) is not None]
        if to_node:
            calls = [("eth_sendRawTransaction", [to_hex(raw)]) for raw in to_node]
            await asyncio.to_thread(self._rpc.batch, calls)

    def _send_one(self) -> bytes | None:
        """Tell peers of one transaction, or not; return it when the node is to have it too."""
        draw = self.rng.random()
        if draw < NODE_ONLY:
            only = self._signed(self._both)
            self.announced.node_only.add(only.hash)
            return only.raw
        for_peers = draw < NODE_ONLY + PEERS_ONLY
        transaction = self._signed(self._alone if for_peers else self._both)
        self.adversary.gateway.add([transaction.raw])  # always the first to say so
        for peer in self.rng.sample(self.honest, self.rng.randrange(1, HONEST + 1)):
            peer.gateway.add([transaction.raw])
        self.announced.honest.add(transaction.hash)
        if for_peers:
            self.announced.peers_only.add(transaction.hash)
        return None if for_peers else transaction.raw

    def _signed(self, wallet: Wallet) -> Transaction:
        tip = self.rng.randrange(GWEI, 2 * GWEI)
        fees = Fees(100 * GWEI + tip, tip)
        data = self.rng.randbytes(self.rng.choice((0, 0, 4, 68, 196)))
        return wallet.sign(fees, to=self.rng.randbytes(20), gas_limit=60_000, value_wei=1, data=data)

    def mine(self) -> int:
        """Close the open window with a block and return its number."""
        self._rpc.call("evm_mine")
        return int(self._rpc.call("eth_blockNumber"), 16)

    def open_store(self) -> Store:
        """Open the store that the daemon feeds."""
        return open_store(self.settings, in_process=False)

    def missing(self, wanted: set[bytes]) -> set[bytes]:
        """Return which of these transactions the store does not hold."""
        with self.open_store() as store:
            return wanted - {bytes(row[0]) for row in store.rows(STORED_HASHES)}


@asynccontextmanager
async def hybrid_stage(home: Path, *, per_second: float, seed: int) -> AsyncIterator[HybridStage]:
    """Start everything, wait until both lanes deliver, and stop everything afterwards."""
    rng = random.Random(seed)  # noqa: S311 - traffic, not secrets
    count = max(POOL_LEAST, round(POOL_SECONDS * per_second))
    async with AsyncExitStack() as stack:
        node = stack.enter_context(AnvilNode("--hardfork", "prague", "--block-time", str(BLOCK_SECONDS)))
        chain = RpcChain(node.http_url)
        await chain.prepare()
        gateways: list[Gateway] = [StallingGateway(RecentTransactions(count=count)) for _ in range(HONEST)]
        gateways.append(GarblingGateway(RecentTransactions(count=count), random.Random(seed + 1)))  # noqa: S311
        peers = []
        for gateway in gateways:
            peer = DrillPeer(gateway, chain.statuses)
            await peer.start()
            stack.push_async_callback(peer.stop)
            peers.append(peer)
        store = await asyncio.to_thread(StoreProcess, home)
        stack.push_async_callback(asyncio.to_thread, store.stop)
        daemon = await asyncio.to_thread(_daemon, home, node, peers)
        stack.push_async_callback(asyncio.to_thread, daemon.stop)  # before the store: it drains into it
        settings = Settings(
            home=home, chain_id=DEVNET_CHAIN_ID, rpc={"url": node.ws_url}, store={"url": None}
        )
        stage = HybridStage(settings, node, peers[:HONEST], peers[HONEST], store, daemon, rng)
        await asyncio.to_thread(stage.wait_for_lanes)
        yield stage


def _daemon(home: Path, node: AnvilNode, peers: list[DrillPeer]) -> IngestProcess:
    flags = [flag for peer in peers for flag in ("--peer", peer.enode)]
    return IngestProcess(
        home,
        *("--lanes", "p2p,rpc", "--rpc", node.ws_url, *flags),
        p2p_redial_seconds=REDIAL_SECONDS,
        chain_id=DEVNET_CHAIN_ID,
    )
