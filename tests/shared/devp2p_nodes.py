"""Nodes on loopback: listeners that note what they hear, gateways that serve, and a loop that waits."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from devp2p_sessions import FixedChain
from prometheus_client import CollectorRegistry

from mev_dagster.devp2p.admission import InboundLimits
from mev_dagster.devp2p.fetcher import FetchLimits
from mev_dagster.devp2p.gateway import Gateway
from mev_dagster.devp2p.keys import NodeKey
from mev_dagster.devp2p.mempool import Listener
from mev_dagster.devp2p.metrics import P2PMetrics
from mev_dagster.devp2p.network import NetworkConfig, PeerNetwork
from mev_dagster.telemetry.clock import SystemClock

CLOCK = SystemClock()
LISTENING = NetworkConfig(listen_port=0)


class Notes:
    """An observer that writes everything down."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bytes]] = []
        self.bodies: dict[bytes, bytes] = {}
        self.peers = 0
        self.full = False
        self.room = 10**6

    def announced(self, peer, announcement, wall_ns, mono_ns) -> None:
        self.seen += [(peer.name, tx_hash) for tx_hash in announcement.hashes]

    def delivered(self, peer, transaction, wall_ns, mono_ns) -> bool:
        assert transaction.hash not in self.bodies, "delivered twice"
        if len(self.bodies) >= self.room:
            return False
        self.bodies[transaction.hash] = transaction.raw
        return True

    def peers_changed(self, count: int) -> None:
        self.peers = count

    def is_full(self) -> bool:
        return self.full


class ListeningNode:
    """A listener with its network and notes."""

    def __init__(self, config: NetworkConfig = LISTENING, **options: Any) -> None:
        limits = options.pop("limits", FetchLimits())
        self.notes = Notes()
        self.metrics = P2PMetrics(CollectorRegistry())
        self.listener = Listener(self.notes, CLOCK, self.metrics, limits=limits)
        self.network = PeerNetwork(
            NodeKey.generate(), self.listener, FixedChain(), config, metrics=self.metrics, **options
        )


@asynccontextmanager
async def listening(config: NetworkConfig = LISTENING, **options: Any) -> AsyncIterator[ListeningNode]:
    node = ListeningNode(config, **options)
    await node.network.start()
    try:
        yield node
    finally:
        await node.network.close()


@asynccontextmanager
async def serving(gateway: Any = None, **config: Any) -> AsyncIterator[tuple[Any, PeerNetwork]]:
    gateway = gateway or Gateway()
    options = {"listen_port": 0, "inbound": InboundLimits(peers=200, pending=200), **config}
    network = PeerNetwork(NodeKey.generate(), gateway, FixedChain(), NetworkConfig(**options))
    await network.start()
    try:
        yield gateway, network
    finally:
        await network.close()


async def until(condition: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        await asyncio.sleep(0.005)
    return value


def raws(count: int, *, seed: int = 1) -> list[bytes]:
    """Bytes that look like transactions to a peer: legacy and typed."""
    rng = random.Random(seed)
    return [b"\x02" + rng.randbytes(200) for _ in range(count)]
