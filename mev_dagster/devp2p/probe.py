"""Shake hands with one peer, look at its Status, say goodbye."""

import time
from typing import Any

from mev_dagster.devp2p.chain import MimicChain
from mev_dagster.devp2p.enode import Enode
from mev_dagster.devp2p.eth.messages import Message
from mev_dagster.devp2p.hello import Reason
from mev_dagster.devp2p.keys import NodeKey
from mev_dagster.devp2p.network import Peer, PeerNetwork
from mev_dagster.telemetry.clock import SystemClock


class _Bystander:
    """A service that only lets others talk."""

    def joined(self, peer: Peer) -> None: ...

    def left(self, peer: Peer, reason: str) -> None: ...

    def message(self, peer: Peer, message: Message, wall_ns: int, mono_ns: int) -> None: ...

    def tick(self, now_ns: int) -> None: ...

    def is_full(self) -> bool:
        return False


async def probe_peer(target: Enode, *, seconds: float) -> dict[str, Any]:
    """Return what a peer says of itself; raises `PeerUnreachable` with the stage and the reason."""
    network = PeerNetwork(NodeKey.generate(), _Bystander(), MimicChain(SystemClock()))
    await network.start()
    try:
        started = time.perf_counter()
        peer = await network.dial(target, seconds=seconds)
        elapsed = time.perf_counter() - started
        hello, status = peer.ready.hello, peer.ready.status
        peer.disconnect("probed", Reason.QUITTING)
    finally:
        await network.close()
    return {
        "client": hello.client,
        "eth_version": peer.version,
        "fork_id": {"hash": status.fork_id.hash, "next": status.fork_id.next},
        "handshake_ms": round(elapsed * 1000, 3),
        "capabilities": [f"{entry.name}/{entry.version}" for entry in hello.capabilities],
        "network_id": status.network_id,
        "genesis": status.genesis,
        "head_hash": status.head_hash,
        "latest_block": status.latest if peer.version >= 69 else None,
    }
