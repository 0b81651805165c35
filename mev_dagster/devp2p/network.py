"""All connections of one node: listening, dialling, keeping time, and handing messages to a service."""

import asyncio
import os
from dataclasses import dataclass, field
from typing import Protocol, cast

from prometheus_client import CollectorRegistry, Gauge

from mev_dagster.devp2p.admission import Admission, InboundLimits
from mev_dagster.devp2p.connection import Connection
from mev_dagster.devp2p.enode import Enode
from mev_dagster.devp2p.eth.codec import OFFERED_VERSIONS
from mev_dagster.devp2p.eth.messages import Message, NewPooledTransactionHashes, message_name
from mev_dagster.devp2p.hello import Reason
from mev_dagster.devp2p.keys import Entropy, NodeKey
from mev_dagster.devp2p.large_frames import LargeFrames
from mev_dagster.devp2p.metrics import P2PMetrics, client_family
from mev_dagster.devp2p.scheduler import FairScheduler
from mev_dagster.devp2p.session import Ready, Session, StatusSource
from mev_dagster.errors import PeerUnreachable, PortInUse
from mev_dagster.telemetry.clock import Clock, SystemClock
from mev_dagster.telemetry.logging import logger
from mev_dagster.units import NS_PER_SECOND

TICK_SECONDS = 0.5
DIAL_SECONDS = 15.0
TIMED_ANNOUNCEMENT = 32  # one in so many
CLIENT = "mev_dagster/0.1.0"

log = logger("p2p")


class Peer:
    """A connection past Status."""

    __slots__ = ("connection", "id", "name", "ready", "since_ns")

    def __init__(self, connection: Connection, ready: Ready, now_ns: int) -> None:
        self.connection, self.ready = connection, ready
        self.id = ready.hello.node_id
        self.name = self.id[:8].hex()
        self.since_ns = now_ns

    @property
    def version(self) -> int:
        """The eth version both speak."""
        return self.ready.version

    def send(self, message: Message) -> None:
        """Send a message."""
        self.connection.send(message)

    def disconnect(self, reason: str, goodbye: Reason) -> None:
        """Let the peer go."""
        self.connection.close(reason, goodbye)


class Service(Protocol):
    """What a node does with its peers."""

    def joined(self, peer: Peer) -> None:
        """A peer is past Status."""
        ...

    def left(self, peer: Peer, reason: str) -> None:
        """A peer is gone."""
        ...

    def message(self, peer: Peer, message: Message, wall_ns: int, mono_ns: int) -> None:
        """A peer said something; the stamps are those of the frame."""
        ...

    def tick(self, now_ns: int) -> None:
        """Some time has passed."""
        ...

    def is_full(self) -> bool:
        """Say whether nobody should be read for a moment."""
        ...


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Where to listen and what to offer. `listen_port` None does not listen, 0 takes a free port."""

    host: str = "127.0.0.1"
    listen_port: int | None = None
    versions: tuple[int, ...] = OFFERED_VERSIONS
    inbound: InboundLimits = field(default_factory=InboundLimits)
    client: str = CLIENT


class PeerNetwork:
    """The connections of one identity."""

    def __init__(
        self,
        key: NodeKey,
        service: Service,
        statuses: StatusSource,
        config: NetworkConfig | None = None,
        *,
        metrics: P2PMetrics | None = None,
        clock: Clock | None = None,
        entropy: Entropy = os.urandom,
    ) -> None:
        self.key = key
        self.config = config or NetworkConfig()
        self.peers: dict[bytes, Peer] = {}
        self.port = 0
        self.metrics = metrics or P2PMetrics(CollectorRegistry())
        self._service, self._statuses = service, statuses
        self._clock, self._entropy = clock or SystemClock(), entropy
        self._scheduler = FairScheduler(should_hold=service.is_full)
        self._admission = Admission(self.config.inbound)
        self._large_frames = LargeFrames()
        self._connections: set[Connection] = set()
        self._dialling: dict[bytes, asyncio.Future[Peer]] = {}
        self._announcements = 0
        self._server: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def enode(self) -> Enode:
        """How others dial this node."""
        return Enode(self.key.id, self.config.host, self.port, self.port)

    @property
    def connections(self) -> int:
        """How many sockets are open, those of strangers included."""
        return len(self._connections)

    async def start(self) -> None:
        """Listen, if asked to, and begin to give turns."""
        loop = asyncio.get_running_loop()
        if self.config.listen_port is not None:
            try:
                self._server = await loop.create_server(
                    self._accept, self.config.host, self.config.listen_port, backlog=128
                )
            except OSError as error:
                raise PortInUse(f"port {self.config.listen_port}: {error.strerror}") from None
            self.port = self._server.sockets[0].getsockname()[1]
        self._tasks = [asyncio.create_task(self._scheduler.run()), asyncio.create_task(self._tick())]

    async def watch(self) -> None:
        """Wait for ever; raise what the scheduler or the clockwork raised, which is a fault of ours."""
        await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """Say goodbye to everyone and stop."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close("quitting", Reason.QUITTING)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def dial(self, target: Enode, *, seconds: float = DIAL_SECONDS) -> Peer:
        """Connect to a node and return it past Status; raises `PeerUnreachable` with the stage and reason."""
        if target.id == self.key.id:
            raise PeerUnreachable("self: that is this node")
        if target.id in self.peers or target.id in self._dialling:
            raise PeerUnreachable("already_connected: it is connected or being dialled")
        future: asyncio.Future[Peer] = asyncio.get_running_loop().create_future()
        self._dialling[target.id] = future
        made: list[Connection] = []
        try:
            async with asyncio.timeout(seconds):
                await asyncio.get_running_loop().create_connection(
                    lambda: self._made(made, self._connection(target.id)), target.host, target.tcp_port
                )
                peer = await future
        except TimeoutError:
            self.metrics.dials.labels("timeout").inc()
            raise PeerUnreachable(f"timeout: {target.short} did not answer in {seconds:g} s") from None
        except OSError as error:
            self.metrics.dials.labels("refused").inc()
            raise PeerUnreachable(f"refused: {target.short}: {error.strerror or error}") from None
        except PeerUnreachable as error:
            self.metrics.dials.labels(str(error).partition(":")[0]).inc()
            raise
        finally:
            del self._dialling[target.id]
            for connection in made:
                if connection.ready is None:
                    connection.abort("dial_abandoned")
        self.metrics.dials.labels("ok").inc()
        return peer

    # Connections' side

    def has_input(self, connection: Connection) -> None:
        """Queue a connection's turn."""
        self._scheduler.ready(connection)

    def handshaken(self, connection: Connection) -> Reason | None:
        """Refuse ourselves and whom we already talk to."""
        self._observe("rlpx", connection)
        if connection.session.remote_id == self.key.id:
            return Reason.SELF
        return Reason.ALREADY_CONNECTED if connection.session.remote_id in self.peers else None

    def opened(self, connection: Connection, ready: Ready) -> None:
        """Make a connection a peer."""
        self._observe("status", connection)
        if ready.hello.node_id in self.peers:  # both ends dialled at once
            connection.close("already_connected", Reason.ALREADY_CONNECTED)
            return
        peer = Peer(connection, ready, self._clock.mono_ns())
        self.peers[peer.id] = peer
        if connection.inbound:
            self._admission.opened()
        self._gauge(peer).inc()
        self._service.joined(peer)
        if (future := self._dialling.get(peer.id)) is not None and not future.done():
            future.set_result(peer)

    def heard(self, connection: Connection, message: Message, wall_ns: int, mono_ns: int) -> None:
        """Pass a message on."""
        if isinstance(message, NewPooledTransactionHashes):  # they come too often to time each
            self._announcements += 1
            timed = self._announcements % TIMED_ANNOUNCEMENT == 1
        else:
            timed = True
        if timed:
            self.metrics.decode_seconds.labels(message_name(message)).observe(connection.decode_seconds)
        peer = self.peers.get(connection.session.remote_id or b"")
        if peer is not None and peer.connection is connection:
            self._service.message(peer, message, wall_ns, mono_ns)

    def ended(self, connection: Connection, reason: str) -> None:
        """Forget a connection and tell whoever waits for it."""
        self._connections.discard(connection)
        self.metrics.disconnects.labels(_direction(connection), reason).inc()
        self.metrics.bytes.labels("in").inc(connection.bytes_in)
        self.metrics.bytes.labels("out").inc(connection.bytes_out)
        self.metrics.pauses.inc(connection.pauses)
        remote_id = connection.session.remote_id or b""
        peer = self.peers.get(remote_id)
        is_peer = peer is not None and peer.connection is connection
        if connection.inbound:
            self._admission.released(connection.host, was_open=is_peer)
        if peer is not None and is_peer:
            del self.peers[remote_id]
            self._gauge(peer).dec()
            self._service.left(peer, reason)
        future = self._dialling.get(remote_id)
        if future is not None and not future.done() and not connection.inbound:
            future.set_exception(PeerUnreachable(f"{reason}: {remote_id[:8].hex()} ended the conversation"))
            future.exception()  # retrieved: the dial may have been given up already

    def _accept(self) -> asyncio.Protocol:
        return _Doorkeeper(self)

    def admit(self, host: str) -> Connection | None:
        """Return a connection for an inbound socket, None to refuse it unread."""
        refusal = self._admission.refusal(host, self._clock.mono_ns() / NS_PER_SECOND)
        if refusal is not None:
            self.metrics.refused.labels(refusal).inc()
            return None
        return self._connection(None)

    def _connection(self, remote_id: bytes | None) -> Connection:
        session = Session(
            self.key,
            remote_id,
            client=self.config.client,
            statuses=self._statuses,
            versions=self.config.versions,
            listen_port=self.port,
            entropy=self._entropy,
        )
        connection = Connection(session, self, self._clock, self._large_frames, inbound=remote_id is None)
        self._connections.add(connection)
        return connection

    @staticmethod
    def _made(made: list[Connection], connection: Connection) -> Connection:
        made.append(connection)
        return connection

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now_ns = self._clock.mono_ns()
            for connection in list(self._connections):
                connection.check_time(now_ns)
            self._service.tick(now_ns)

    def _observe(self, stage: str, connection: Connection) -> None:
        seconds = (self._clock.mono_ns() - connection.started_ns) / NS_PER_SECOND
        self.metrics.handshake_seconds.labels(stage).observe(seconds)

    def _gauge(self, peer: Peer) -> Gauge:
        client = client_family(peer.ready.hello.client)
        return self.metrics.peers.labels(_direction(peer.connection), client, str(peer.version))


class _Doorkeeper(asyncio.Protocol):
    """Stands at an accepted socket until it is known whether its connection is admitted."""

    def __init__(self, network: PeerNetwork) -> None:
        self._network = network

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse without a byte, or hand the socket to a connection."""
        made = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        connection = self._network.admit(str(peer[0]) if peer else "")
        if connection is None:
            made.abort()
            return
        made.set_protocol(connection)
        connection.connection_made(made)


def _direction(connection: Connection) -> str:
    return "in" if connection.inbound else "out"
