"""The RPC lane: a live node over WebSocket, IPC or HTTP. Pending transactions, heads, reorgs, its pool."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from prometheus_client import CollectorRegistry

from mev_dagster.chain.blocks import Block
from mev_dagster.errors import InputError, NodeAnswerError, NodeTimeout, WrongChain
from mev_dagster.events.types import Lane, LaneState, LaneStatus
from mev_dagster.ingest.arrivals import UNLOGGED, BlockArrived
from mev_dagster.ingest.lanes.lane import LaneContext, LaneFactory, LaneMaker, LaneOrder
from mev_dagster.ingest.lanes.rpc_heads import HeadFollower
from mev_dagster.ingest.lanes.rpc_pending import PendingWatch
from mev_dagster.ingest.lanes.rpc_pool import PoolReader
from mev_dagster.ingest.lanes.rpc_silence import PendingSilence
from mev_dagster.ingest.lanes.rpc_watch import ANSWER_SECONDS, POLL_SECONDS, QUIET_SECONDS, HeadWatch
from mev_dagster.ingest.lanes.wanted import WantedBodies
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.ingest.tasks import run_until_one_ends
from mev_dagster.node.envelope import shortened
from mev_dagster.node.identity import ChainPin, identity_of
from mev_dagster.node.link import NodeLink, check_node_url, node_name
from mev_dagster.node.open import open_node
from mev_dagster.node.pace import Pace
from mev_dagster.settings import ProviderItem
from mev_dagster.telemetry.catalogue import RpcLaneMetrics
from mev_dagster.telemetry.clock import Clock
from mev_dagster.telemetry.logging import logger
from mev_dagster.units import NS_PER_SECOND
from mev_dagster.windows.canonical_chain import CanonicalChain
from mev_dagster.windows.memory import DecodedTransactions

log = logger("ingest.rpc")

FIRST_HEAD_SECONDS = 1.0
RECONCILE_SECONDS = 60.0
GRACE_SECONDS = 0.5
RESUBSCRIBED_EVERY = 8  # heads that only polls show, before subscribing once more


class RpcMaker(LaneMaker):
    """Follows the nodes of the settings: `rpc.url`, or every one of `[[providers]]`."""

    def wanted(self, order: LaneOrder) -> bool:
        """Run wherever a node is named."""
        return order.settings.node_url is not None

    def prepare_all(self, order: LaneOrder) -> tuple[LaneFactory, ...]:
        """Check every node's address; one lane follows each."""
        if not order.settings.nodes:
            raise InputError("lane rpc needs --rpc or MEV_RPC_URL")
        together: list[RpcLane] = []
        return tuple(_follower(one, order.settings.chain_id, together) for one in order.settings.nodes)

    def prepare(self, order: LaneOrder) -> LaneFactory:
        """Check the address of the preferred node."""
        return self.prepare_all(order)[0]


def _follower(node: ProviderItem, chain_id: int | None, together: "list[RpcLane]") -> LaneFactory:
    """Return what makes a node's lane; lanes of one order ask one another's nodes for what theirs lacks."""
    url, headers = check_node_url(node.url), node.told_headers

    def make(context: LaneContext) -> RpcLane:
        lane = RpcLane(
            url,
            context.clock,
            chain=context.chain,
            knows=context.knows,
            decoded=context.decoded,
            chain_id=chain_id,
            pin=context.pin,
            registry=context.registry,
            headers=headers,
            name=node.name,
            together=together,
        )
        together.append(lane)
        return lane

    return make


class RpcLane:
    """One node. `run` is one connection's life; heads are remembered from one life to the next.

    The lane is connected while the node tells of heads, by itself or when asked. What else a node can do or
    cannot never ends the connection.
    """

    kind = Lane.RPC

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        chain: CanonicalChain | None = None,
        knows: Callable[[bytes], bool] = lambda _: False,
        decoded: DecodedTransactions | None = None,
        chain_id: int | None = None,
        pin: ChainPin | None = None,
        registry: CollectorRegistry | None = None,
        headers: Mapping[str, str] | None = None,
        name: str = "",
        together: "Sequence[RpcLane]" = (),
    ) -> None:
        self.link: NodeLink | None = None
        self._together = together
        self.source = name or node_name(check_node_url(url))
        self._headers = headers
        self.connected = False
        self._url, self._clock = url, clock
        self._knows = knows
        self._decoded = decoded or DecodedTransactions()
        self._queue: ArrivalQueue | None = None
        self._heads = HeadFollower(
            chain or CanonicalChain(),
            self._decoded,
            clock=clock,
            refused=self._refused,
        )
        self._pin = pin or ChainPin(chain_id=chain_id)
        self._wanted = WantedBodies(knows)
        self._pace = Pace()
        self._pool = PoolReader(url, clock, senders=self._decoded.newest_senders, headers=headers)
        self._silence = PendingSilence()
        self._metrics = RpcLaneMetrics.on(CollectorRegistry() if registry is None else registry)

    @property
    def trouble(self) -> str:
        """What the node keeps from us although it is connected; empty while it tells everything."""
        return self._silence.why

    async def run(self, queue: ArrivalQueue) -> None:
        """Connect, subscribe, catch up, then deliver until the connection is lost."""
        self._queue = queue
        node = await open_node(self._url, self._clock, headers=self._headers)
        try:
            await self._check_chain(node)
            self.link = node
            heads = HeadWatch(node, self._heads, self._clock)
            pending = PendingWatch(
                node,
                queue,
                self.source,
                clock=self._clock,
                knows=self._knows,
                decoded=self._decoded,
                wanted=self._wanted,
                pace=self._pace,
                elsewhere=self._elsewhere,
            )
            await heads.subscribe()
            await pending.subscribe()
            self.connected = await heads.ask_first()
            await queue.put(self._status(LaneState.CONNECTED, await _client(node)))
            log.info("connected", source=self.source)
            caught_up = asyncio.Event()
            await run_until_one_ends(
                self._follow(node, queue, heads, pending, caught_up),
                self._watch(queue, heads, pending),
                self._reconcile(queue, pending, caught_up),
                pending.fetch_bodies(),
                _lost(node),
            )
        finally:
            self.link = None
            await node.close()

    def _elsewhere(self) -> list[NodeLink]:
        """The nodes of the other lanes, those that are connected, in the order of preference."""
        return [one.link for one in self._together if one is not self and one.link is not None]

    async def _check_chain(self, node: NodeLink) -> None:
        """Refuse a node of another chain; a flag that no node has confirmed yet may be what is wrong."""
        confirmed = self._pin.confirmed
        try:
            self._pin.check(await identity_of(node), node.address)
        except WrongChain as error:
            if confirmed:
                raise
            raise InputError(str(error)) from error

    async def _follow(
        self,
        node: NodeLink,
        queue: ArrivalQueue,
        heads: HeadWatch,
        pending: PendingWatch,
        caught_up: asyncio.Event,
    ) -> None:
        while True:
            head, wall_ns, mono_ns = await heads.announced.get()
            try:
                async for block in self._heads.follow(node, head):
                    if caught_up.is_set():
                        self._compare(pending, block)
                    await queue.put(BlockArrived(wall_ns, mono_ns, Lane.RPC, self.source, block))
            except (NodeAnswerError, NodeTimeout) as error:
                log.warning("head refused", source=self.source, error=error)
                queue.drop(Lane.RPC, self.source, "head_refused")
            caught_up.set()

    def _compare(self, pending: PendingWatch, block: Block) -> None:
        """Hold a block against what the subscription showed of it."""
        unseen = sum(not self._knows(tx_hash) for tx_hash in block.transaction_hashes)
        if self._silence.block_brought(unseen, pending.notified_ns, self._clock.mono_ns()):
            pending.given_up = True

    async def _watch(self, queue: ArrivalQueue, heads: HeadWatch, pending: PendingWatch) -> None:
        """Compare what is announced with what the node answers; subscribe again where it has gone silent."""
        while True:
            await self._clock.sleep(POLL_SECONDS)
            missed = await heads.poll()
            self.connected = heads.is_alive()
            self._silence.heard(pending.notified_ns)
            if missed and heads.missed % RESUBSCRIBED_EVERY == 1:
                self._metrics.silences.labels("heads").inc()
                await queue.put(self._status(LaneState.GAP, "newHeads is silent, a poll shows a head", 1))
                await heads.subscribe()
                await pending.subscribe()
            elif pending.given_up:
                said = self._silence.why or "the node gave newPendingTransactions up"
                self._metrics.silences.labels("pending").inc()
                await queue.put(self._status(LaneState.GAP, said))
                await pending.subscribe()

    async def _reconcile(self, queue: ArrivalQueue, pending: PendingWatch, caught_up: asyncio.Event) -> None:
        """Fill from the node's pool what came before the subscription, and later what it did not show."""
        # Blocks first, then the pool; but a head that does not come holds nobody up.
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_HEAD_SECONDS):
                await caught_up.wait()
        pool = await self._pool.read()
        count = await pending.take_pool(pool or ())
        await queue.put(self._status(LaneState.RESYNCED, self._pool.reason, count))
        while True:
            await self._until_due(queue, pending)
            pool = await self._pool.read()
            if pool is None:
                continue
            lost = pending.lost
            # What was announced while the pool was read may still be on its way here.
            await self._clock.sleep(GRACE_SECONDS)
            count = await pending.take_pool(pending.unseen(pool))
            if not count:
                continue
            if not lost:
                said = f"newPendingTransactions did not show {count} transactions of the pool"
                await queue.put(self._status(LaneState.GAP, said, count))
            await queue.put(self._status(LaneState.RESYNCED, self._pool.reason, count))
            if self._silence.pool_showed(count, pending.notified_ns, self._clock.mono_ns()):
                self._metrics.silences.labels("pending").inc()
                await pending.subscribe()

    async def _until_due(self, queue: ArrivalQueue, pending: PendingWatch) -> None:
        """Wait a minute, or less where nothing is announced or something was lost."""
        started_ns = self._clock.mono_ns()
        while True:
            await self._clock.sleep(1.0)
            waited = (self._clock.mono_ns() - started_ns) / NS_PER_SECOND
            if waited >= RECONCILE_SECONDS:
                return
            if pending.lost and queue.fill < 0.5:
                return
            if waited >= QUIET_SECONDS and self._is_quiet(pending):
                return
            if not pending.subscribed and waited >= POLL_SECONDS:
                return

    def _refused(self, reason: str) -> None:
        if self._queue is not None:
            self._queue.drop(Lane.RPC, self.source, reason)

    def _is_quiet(self, pending: PendingWatch) -> bool:
        return self._clock.mono_ns() - pending.notified_ns > QUIET_SECONDS * NS_PER_SECOND

    def _status(self, state: LaneState, reason: str, count: int = 0) -> LaneStatus:
        stamp = (UNLOGGED, self._clock.wall_ns(), self._clock.mono_ns(), Lane.RPC, self.source)
        return LaneStatus(*stamp, state, reason, count)


async def _client(node: NodeLink) -> str:
    try:
        return shortened(str(await node.call("web3_clientVersion", timeout_seconds=ANSWER_SECONDS)))
    except (NodeAnswerError, NodeTimeout):
        return "unnamed client"


async def _lost(node: NodeLink) -> None:
    raise await node.wait_closed()
