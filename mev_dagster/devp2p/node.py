"""A whole mempool node: identity, peer book, discovery, connections, and the listener they feed."""

import asyncio
import random
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path

from mev_dagster.chain import rlp
from mev_dagster.devp2p import dnslist
from mev_dagster.devp2p.discovery import DiscoveryNode
from mev_dagster.devp2p.discv4 import Endpoint
from mev_dagster.devp2p.enode import Enode, parse_enode
from mev_dagster.devp2p.enr import NodeRecord, sign_record
from mev_dagster.devp2p.eth.messages import Message
from mev_dagster.devp2p.forkid import ForkId
from mev_dagster.devp2p.keys import NodeKey
from mev_dagster.devp2p.maintenance import Maintenance, PoolLimits
from mev_dagster.devp2p.mempool import Listener
from mev_dagster.devp2p.metrics import P2PMetrics
from mev_dagster.devp2p.network import NetworkConfig, Peer, PeerNetwork
from mev_dagster.devp2p.peerbook import FLOOR_SECONDS, Origin, PeerBook, load_key
from mev_dagster.devp2p.session import StatusSource
from mev_dagster.devp2p.udp import DiscoverySocket, seeded
from mev_dagster.errors import MevError
from mev_dagster.telemetry.clock import Clock
from mev_dagster.telemetry.logging import logger
from mev_dagster.units import NS_PER_SECOND

DNS_SECONDS = 1_800.0
RESOLVE_SECONDS = 10.0

log = logger("p2p")


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Whom to talk to and where. `folder` keeps the identity and the peer book; None keeps nothing."""

    folder: Path | None = None
    network: NetworkConfig = field(default_factory=NetworkConfig)
    pool: PoolLimits = field(default_factory=PoolLimits)
    static: tuple[Enode, ...] = ()
    trusted: tuple[Enode, ...] = ()
    bootnodes: tuple[Enode, ...] = ()
    discovery: bool = False
    dns_list: str | None = None
    redial_seconds: float = FLOOR_SECONDS


class MempoolNode:
    """Runs a listener over as many peers as it can find."""

    def __init__(
        self,
        config: NodeConfig,
        listener: Listener,
        statuses: StatusSource,
        metrics: P2PMetrics,
        clock: Clock,
        *,
        fork_id: Callable[[], ForkId | None] = lambda: None,
        resolver: dnslist.Resolver | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._config, self._listener, self._clock = config, listener, clock
        self._fork_id, self._resolver, self._rng = fork_id, resolver, rng or seeded()
        folder = config.folder
        key = load_key(folder / "nodekey") if folder else NodeKey.generate()
        self.book = PeerBook(
            folder / "peers.json" if folder else None, rng=self._rng, floor_seconds=config.redial_seconds
        )
        for origin, enodes in (
            (Origin.TRUSTED, config.trusted),
            (Origin.STATIC, config.static),
            (Origin.BOOTNODE, config.bootnodes),
        ):
            for enode in enodes:
                self.book.add(enode, origin)
        self.network = PeerNetwork(key, self, statuses, config.network, metrics=metrics, clock=clock)
        self._maintenance = Maintenance(
            self.network, self.book, clock, limits=config.pool, score_of=self._score_of
        )
        self._socket = DiscoverySocket(clock, metrics.datagrams_ignored)
        self._record: NodeRecord | None = None
        metrics.known_nodes.set_function(lambda: len(self.book))

    @property
    def enode(self) -> Enode:
        """How others dial this node."""
        return self.network.enode

    async def run(self) -> None:
        """Run until cancelled."""
        await self.network.start()
        tasks = [asyncio.create_task(self._maintenance.run()), asyncio.create_task(self.network.watch())]
        try:
            if self._config.discovery:
                await self._socket.open(self._config.network.host, self.network.port)
                bootnodes = await resolved(self._config.bootnodes)
                tasks.append(asyncio.create_task(self._socket.run(self._discovery(), bootnodes)))
            if self._config.dns_list and self._resolver:
                tasks.append(asyncio.create_task(self._read_lists(self._config.dns_list, self._resolver)))
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.network.close()

    # The network's side: the listener hears, the book keeps

    def joined(self, peer: Peer) -> None:
        """A peer is past Status."""
        self.book.met(peer.id, peer.ready.hello.client, peer.version, self._now())
        log.info("peer joined", peer=peer.name, client=peer.ready.hello.client, eth=peer.version)
        self._listener.joined(peer)

    def left(self, peer: Peer, reason: str) -> None:
        """A peer is gone."""
        self.book.parted(peer.id, reason, self._now(), self._score_of(peer.name))
        log.info("peer left", peer=peer.name, reason=reason)
        self._listener.left(peer, reason)
        self._maintenance.wake()

    def message(self, peer: Peer, message: Message, wall_ns: int, mono_ns: int) -> None:
        """A peer said something."""
        self._listener.message(peer, message, wall_ns, mono_ns)

    def tick(self, now_ns: int) -> None:
        """Some time has passed."""
        self._listener.tick(now_ns)

    def is_full(self) -> bool:
        """Say whether nobody should be read for a moment."""
        return self._listener.is_full()

    # Discovery

    def _discovery(self) -> DiscoveryNode:
        own = Endpoint(self._config.network.host, self._socket.port, self.network.port)
        return DiscoveryNode(self.network.key, own, self._own_record, found=self._found, rng=self._rng)

    def _own_record(self) -> NodeRecord:
        """Our record; a new one, with a higher number, when the fork id changed."""
        fork = self._fork_id()
        if self._record is None or (fork is not None and self._record.fork_id != fork):
            ip = ip_address(self._config.network.host)
            pairs: dict[bytes, rlp.Encodable] = {
                b"ip" if ip.version == 4 else b"ip6": ip.packed,
                b"tcp": self.network.port,
                b"udp": self._socket.port,
            }
            if fork is not None:
                pairs[b"eth"] = [fork.fields()]
            seq = int(self._now() * 1000) if self._record is None else self._record.seq + 1
            self._record = sign_record(self.network.key, seq, pairs)
        return self._record

    def _found(self, enode: Enode, record: NodeRecord | None) -> None:
        """A node proved its address. Where its record names another fork, it is not worth a dial."""
        own = self._fork_id()
        if record is not None and record.fork_id is not None and own and record.fork_id.hash != own.hash:
            self.book.add(enode, Origin.DISCOVERED)
            self.book.parted(enode.id, "other_chain", self._now())
            return
        self.book.add(enode, Origin.DISCOVERED)
        self._maintenance.wake()

    async def _read_lists(self, url: str, resolve: dnslist.Resolver) -> None:
        while True:
            try:
                async for record in dnslist.walk(url, resolve):
                    if (enode := record.enode) is not None:
                        self.book.add(enode, Origin.DNS)
            except MevError as error:
                log.warning("DNS list unreadable", error=error)
            await asyncio.sleep(DNS_SECONDS)

    def _score_of(self, name: str) -> float:
        score = self._listener.scores.get(name)
        return score.value if score else 0.0

    def _now(self) -> float:
        return self._clock.wall_ns() / NS_PER_SECOND


def enodes(urls: Sequence[str]) -> tuple[Enode, ...]:
    """Parse many enode URLs."""
    return tuple([parse_enode(url) for url in urls])


async def resolved(enodes: Sequence[Enode]) -> tuple[Enode, ...]:
    """Return the same nodes by address, as discovery speaks to them; an unknown name is left out and told."""
    found: list[Enode] = []
    for enode in enodes:
        if not enode.is_named:
            found.append(enode)
            continue
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                [(*_, address), *_] = await asyncio.get_running_loop().getaddrinfo(
                    enode.host, enode.udp_port, type=socket.SOCK_DGRAM
                )
        except (OSError, TimeoutError) as error:
            log.warning("bootnode not found", host=enode.host, error=error)
        else:
            found.append(replace(enode, host=str(address[0])))
    return tuple(found)
