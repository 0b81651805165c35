"""Peers of a drill: real devp2p nodes that come and go under one identity, and those that do harm."""

import random

from mev_dagster.devp2p.eth.messages import GetPooledTransactions, Message
from mev_dagster.devp2p.gateway import Gateway
from mev_dagster.devp2p.hello import SUBPROTOCOLS_FROM
from mev_dagster.devp2p.keys import NodeKey
from mev_dagster.devp2p.network import NetworkConfig, Peer, PeerNetwork
from mev_dagster.devp2p.responder import RecentTransactions
from mev_dagster.devp2p.session import StatusSource

NEW_POOLED_TRANSACTION_HASHES = 0x08
GARBAGE_BYTES = 300


class DrillPeer:
    """A gateway on a port of its own. After a restart it is the same node with the same pool."""

    def __init__(self, gateway: Gateway, statuses: StatusSource) -> None:
        self.gateway = gateway
        self._key, self._statuses = NodeKey.generate(), statuses
        self._network: PeerNetwork | None = None
        self._port = 0

    @property
    def network(self) -> PeerNetwork:
        """Its connections."""
        assert self._network is not None, "start comes first"
        return self._network

    @property
    def enode(self) -> str:
        """How it is dialled."""
        return str(self.network.enode)

    async def start(self) -> None:
        """Listen, on the same port every time."""
        config = NetworkConfig(listen_port=self._port)
        self._network = PeerNetwork(self._key, self.gateway, self._statuses, config)
        await self._network.start()
        self._port = self._network.port

    async def stop(self) -> None:
        """Say goodbye and stop listening."""
        await self.network.close()

    def pull_plug(self) -> None:
        """End every conversation without a word."""
        for peer in list(self.network.peers.values()):
            peer.connection.abort("plug_pulled")


class StallingGateway(Gateway):
    """Honest, but answers no request for bodies while it is stalled."""

    def __init__(self, pool: RecentTransactions) -> None:
        super().__init__(pool=pool)
        self.stalled = False

    def message(self, peer: Peer, message: Message, wall_ns: int, mono_ns: int) -> None:
        """Answer, unless stalled."""
        if not (self.stalled and isinstance(message, GetPooledTransactions)):
            super().message(peer, message, wall_ns, mono_ns)


class WithholdingGateway(Gateway):
    """Announces everything and delivers nothing."""

    def message(self, peer: Peer, message: Message, wall_ns: int, mono_ns: int) -> None:
        """Leave every request unanswered."""


class GarblingGateway(WithholdingGateway):
    """Announces, then sends frames whose content is noise."""

    def __init__(self, pool: RecentTransactions, rng: random.Random) -> None:
        super().__init__(pool=pool)
        self.garbling = False
        self.garbled = 0
        self._rng = rng
        self._listening: dict[bytes, Peer] = {}

    def joined(self, peer: Peer) -> None:
        """Remember whom to send noise to."""
        super().joined(peer)
        self._listening[peer.id] = peer

    def left(self, peer: Peer, reason: str) -> None:
        """Forget a peer that hung up."""
        super().left(peer, reason)
        self._listening.pop(peer.id, None)

    def tick(self, now_ns: int) -> None:
        """Send noise in place of an announcement."""
        for peer in list(self._listening.values()) if self.garbling else ():
            noise = self._rng.randbytes(GARBAGE_BYTES)
            peer.connection.session.link.send(SUBPROTOCOLS_FROM + NEW_POOLED_TRANSACTION_HASHES, noise)
            peer.connection.flush()
            self.garbled += 1
