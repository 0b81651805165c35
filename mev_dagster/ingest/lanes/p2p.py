"""The p2p lane: the mempool as the network announces it, a sighting for every announcement of every peer.

The lane is connected while it has a peer. When the queue is nearly full nobody is read, and TCP makes the
peers wait; announcements that still do not fit are dropped and counted, bodies are asked for again later.
"""

from collections.abc import Callable

from mev_dagster.devp2p.enode import Enode
from mev_dagster.devp2p.eth.messages import NewPooledTransactionHashes
from mev_dagster.devp2p.eth.pooled import PooledTransaction
from mev_dagster.devp2p.maintenance import PoolLimits
from mev_dagster.devp2p.mempool import Listener
from mev_dagster.devp2p.metrics import P2PMetrics
from mev_dagster.devp2p.network import NetworkConfig, Peer
from mev_dagster.devp2p.networks import public_network
from mev_dagster.devp2p.node import MempoolNode, NodeConfig, enodes
from mev_dagster.devp2p.txt import TxtResolver
from mev_dagster.errors import InputError
from mev_dagster.events.types import Lane, LaneState, LaneStatus, TxBody, TxSeen
from mev_dagster.ingest.arrivals import UNLOGGED
from mev_dagster.ingest.lanes.lane import LaneFactory, LaneMaker, LaneOrder
from mev_dagster.ingest.lanes.p2p_chain import Mimicry, PeerChain
from mev_dagster.ingest.lanes.p2p_upgrade import UpgradingChain
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.ingest.tasks import run_until_one_ends
from mev_dagster.settings import Settings
from mev_dagster.settings.items import words
from mev_dagster.telemetry.clock import Clock

SOURCE = "devp2p"
HOLD_ABOVE = 0.9  # of the queue's capacity: reading waits
BODIES_ONLY_ABOVE = 0.75  # announcements come again from other peers, bodies do not


def node_config(settings: Settings, *, static: tuple[Enode, ...] = ()) -> NodeConfig:
    """Return what the settings say about the node. With a port it listens, and takes part in discovery."""
    dns_list = settings.p2p.dns_list
    if dns_list == "public":
        known = public_network(settings.chain_id or 0)
        if known is None:
            raise InputError(f"MEV_P2P_DNS_LIST: chain {settings.chain_id} has no public list")
        dns_list = known.dns_list
    return NodeConfig(
        folder=settings.home / "p2p",
        network=NetworkConfig(host=settings.host, listen_port=settings.p2p.port),
        pool=PoolLimits(outbound=settings.p2p.outbound),
        static=(*static, *enodes(settings.p2p.peers)),
        trusted=enodes(settings.p2p.trusted),
        bootnodes=enodes(settings.p2p.bootnodes),
        discovery=settings.p2p.port is not None,
        dns_list=dns_list,
        redial_seconds=settings.p2p.redial_seconds,
    )


class P2PLane:
    """One node of the network, whose peers are one source."""

    kind = Lane.P2P
    source = SOURCE

    def __init__(
        self,
        config: NodeConfig,
        chain: PeerChain,
        clock: Clock,
        metrics: P2PMetrics,
        *,
        knows: Callable[[bytes], bool] = lambda _: False,
    ) -> None:
        self.connected, self.peers = False, 0
        self.node: MempoolNode | None = None
        self._config, self._chain, self._clock, self._metrics = config, chain, clock, metrics
        self._knows = knows
        self._queue: ArrivalQueue | None = None

    async def run(self, queue: ArrivalQueue) -> None:
        """Listen until cancelled."""
        self._queue = queue
        await self._chain.prepare()
        listener = Listener(
            self,
            self._clock,
            self._metrics,
            is_known=self._knows,
            headers=self._chain.headers,
            served_range=self._chain.served_range,
        )
        self.node = MempoolNode(
            self._config,
            listener,
            self._chain.statuses,
            self._metrics,
            self._clock,
            fork_id=self._chain.fork_id,
            resolver=TxtResolver(),
        )
        try:
            await run_until_one_ends(self.node.run(), self._chain.follow())
        finally:
            self.node = None

    # What the listener tells

    def announced(
        self, peer: Peer, announcement: NewPooledTransactionHashes, wall_ns: int, mono_ns: int
    ) -> None:
        """Queue a sighting for each hash, with the time of its frame."""
        queue = self._opened_queue
        hashes = announcement.hashes
        if queue.fill + len(hashes) / queue.capacity > BODIES_ONLY_ABOVE:
            queue.drop(Lane.P2P, SOURCE, "announcements_shed", len(hashes))
            return
        name = peer.name
        for tx_hash, kind, size in zip(hashes, announcement.types, announcement.sizes, strict=True):
            queue.offer(TxSeen(UNLOGGED, wall_ns, mono_ns, Lane.P2P, SOURCE, tx_hash, name, kind, size))

    def delivered(self, peer: Peer, transaction: PooledTransaction, wall_ns: int, mono_ns: int) -> bool:
        """Queue a body while there is room; it is no loss when there is none, for it is asked for again."""
        queue = self._opened_queue
        if queue.is_full:
            return False
        return queue.offer(
            TxBody(UNLOGGED, wall_ns, mono_ns, Lane.P2P, SOURCE, transaction.hash, transaction.raw)
        )

    def peers_changed(self, count: int) -> None:
        """Say when the first peer comes and when the last is gone."""
        self.peers, connected = count, count > 0
        if connected == self.connected:
            return
        self.connected = connected
        stamp = (UNLOGGED, self._clock.wall_ns(), self._clock.mono_ns(), Lane.P2P, SOURCE)
        if connected:
            self._opened_queue.offer(LaneStatus(*stamp, LaneState.CONNECTED, "first peer"))
        else:
            self._opened_queue.offer(LaneStatus(*stamp, LaneState.GAP, "no peer"))

    def is_full(self) -> bool:
        """Hold all reading while the pipeline is behind."""
        return self._opened_queue.fill > HOLD_ABOVE

    @property
    def _opened_queue(self) -> ArrivalQueue:
        assert self._queue is not None, "the lane runs"
        return self._queue


class P2PMaker(LaneMaker):
    """Joins the network; `peers` are enodes it keeps to beside those of the settings."""

    options = frozenset({"peers"})

    def wanted(self, order: LaneOrder) -> bool:
        """Run wherever a peer is given."""
        return "peers" in order.options

    def prepare(self, order: LaneOrder) -> LaneFactory:
        """Check the enodes."""
        settings = order.settings
        config = node_config(settings, static=enodes(words(str(order.options.get("peers", "")))))
        return lambda context: P2PLane(
            config,
            UpgradingChain(context.clock, settings.chain_id, settings.node_http_url)
            if settings.node_http_url
            else Mimicry(context.clock, settings.chain_id),
            context.clock,
            P2PMetrics(context.registry),
            knows=context.knows,
        )
