"""Keeping enough peers: whom to dial, how many at once, and whom to let go for someone better."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from mev_dagster.devp2p.enode import Enode
from mev_dagster.devp2p.hello import Reason
from mev_dagster.devp2p.network import PeerNetwork
from mev_dagster.devp2p.peerbook import Origin, PeerBook
from mev_dagster.errors import PeerUnreachable
from mev_dagster.telemetry.clock import Clock
from mev_dagster.units import NS_PER_SECOND

CHECK_SECONDS = 0.5
SAVE_SECONDS = 60.0
EVICT_AFTER_SECONDS = 600.0
EVICT_EVERY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How many peers we look for, and how many dials run at once."""

    outbound: int = 25
    dials: int = 16


class Maintenance:
    """Dials from the peer book until there are enough peers."""

    def __init__(
        self,
        network: PeerNetwork,
        book: PeerBook,
        clock: Clock,
        *,
        limits: PoolLimits,
        score_of: Callable[[str], float],
    ) -> None:
        self._network, self._book, self._clock = network, book, clock
        self._limits, self._score_of = limits, score_of
        self._dials: dict[bytes, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._saved = self._evicted = clock.mono_ns()

    def wake(self) -> None:
        """A peer left or became known: look at once."""
        self._wake.set()

    async def run(self) -> None:
        """Keep dialling until cancelled; then stop the dials and keep what is known."""
        try:
            while True:
                self._dial()
                self._evict()
                self._save()
                self._wake.clear()
                try:
                    async with asyncio.timeout(CHECK_SECONDS):
                        await self._wake.wait()
                except TimeoutError:
                    pass
        finally:
            for task in self._dials.values():
                task.cancel()
            await asyncio.gather(*self._dials.values(), return_exceptions=True)
            self._book.save()

    def _dial(self) -> None:
        outbound = sum(not peer.connection.inbound for peer in self._network.peers.values())
        missing = self._limits.outbound - outbound - len(self._dials)
        free = min(missing, self._limits.dials - len(self._dials))
        if free <= 0:
            return
        busy = [*self._network.peers, *self._dials, self._network.key.id]
        for enode in self._book.candidates(self._now(), free, excluded=busy):
            self._dials[enode.id] = asyncio.create_task(self._dial_one(enode))

    async def _dial_one(self, enode: Enode) -> None:
        try:
            await self._network.dial(enode)
        except PeerUnreachable as error:
            self._book.parted(enode.id, str(error).partition(":")[0], self._now())
        finally:
            del self._dials[enode.id]
            self._wake.set()

    def _evict(self) -> None:
        """Full of peers that show nothing new, while others wait: let the worst go."""
        now_ns = self._clock.mono_ns()
        if now_ns - self._evicted < EVICT_EVERY_SECONDS * NS_PER_SECOND:
            return
        old = [
            peer
            for peer in self._network.peers.values()
            if now_ns - peer.since_ns > EVICT_AFTER_SECONDS * NS_PER_SECOND and not self._is_kept(peer.id)
        ]
        if len(self._network.peers) < self._limits.outbound or not old:
            return
        if not self._book.candidates(self._now(), 1, excluded=self._network.peers):
            return
        self._evicted = now_ns
        worst = min(old, key=lambda peer: self._score_of(peer.name))
        worst.disconnect("evicted", Reason.TOO_MANY_PEERS)

    def _is_kept(self, node_id: bytes) -> bool:
        node = self._book.find(node_id)
        return node is not None and node.origin in (Origin.TRUSTED, Origin.STATIC)

    def _save(self) -> None:
        now_ns = self._clock.mono_ns()
        if now_ns - self._saved > SAVE_SECONDS * NS_PER_SECOND:
            self._saved = now_ns
            self._book.save()

    def _now(self) -> float:
        return self._clock.wall_ns() / NS_PER_SECOND
