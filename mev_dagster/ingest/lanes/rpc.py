"""The RPC lane: a live node over WebSocket. Pending transactions, new heads, reorgs, reconciliation."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

from mev_dagster.errors import InputError, NodeAnswerError, NodeTimeout, WrongChain
from mev_dagster.events.types import Lane, LaneState, LaneStatus
from mev_dagster.ingest.arrivals import UNLOGGED, BlockArrived
from mev_dagster.ingest.lanes.lane import LaneFactory, LaneMaker, LaneOrder
from mev_dagster.ingest.lanes.rpc_heads import HeadFollower
from mev_dagster.ingest.lanes.rpc_pending import PendingWatch
from mev_dagster.ingest.lanes.rpc_pool import PoolReader
from mev_dagster.ingest.lanes.rpc_watch import ANSWER_SECONDS, POLL_SECONDS, QUIET_SECONDS, HeadWatch
from mev_dagster.ingest.lanes.wanted import WantedBodies
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.ingest.tasks import run_until_one_ends
from mev_dagster.node.envelope import shortened
from mev_dagster.node.identity import ChainPin, identity_of
from mev_dagster.node.pace import Pace
from mev_dagster.node.websocket import NodeConnection, check_websocket_url
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
        orders = [
            LaneOrder(order.settings.changed(rpc={"url": one.url, "http_url": one.http_url}), order.options)
            for one in order.settings.nodes
        ]
        return tuple(map(self.prepare, orders or [order]))

    def prepare(self, order: LaneOrder) -> LaneFactory:
        """Check the node's address."""
        url, chain_id = order.settings.node_url, order.settings.chain_id
        if not url:
            raise InputError("lane rpc needs --rpc or MEV_RPC_URL")
        check_websocket_url(url)
        return lambda context: RpcLane(
            url,
            context.clock,
            chain=context.chain,
            knows=context.knows,
            decoded=context.decoded,
            chain_id=chain_id,
            pin=context.pin,
        )


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
    ) -> None:
        parts = urlsplit(check_websocket_url(url))
        self.source = parts.netloc.rpartition("@")[2]
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
        self._pool = PoolReader(url, clock)

    async def run(self, queue: ArrivalQueue) -> None:
        """Connect, subscribe, catch up, then deliver until the connection is lost."""
        self._queue = queue
        node = await NodeConnection.open(self._url, self._clock)
        try:
            await self._check_chain(node)
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
            )
            await heads.subscribe()
            await pending.subscribe()
            self.connected = await heads.ask_first()
            await queue.put(self._status(LaneState.CONNECTED, await _client(node)))
            log.info("connected", source=self.source)
            caught_up = asyncio.Event()
            await run_until_one_ends(
                self._follow(node, queue, heads, caught_up),
                self._watch(queue, heads, pending),
                self._reconcile(queue, pending, caught_up),
                pending.fetch_bodies(),
                _lost(node),
            )
        finally:
            await node.close()

    async def _check_chain(self, node: NodeConnection) -> None:
        """Refuse a node of another chain; a flag that no node has confirmed yet may be what is wrong."""
        confirmed = self._pin.confirmed
        try:
            self._pin.check(await identity_of(node), node.address)
        except WrongChain as error:
            if confirmed:
                raise
            raise InputError(str(error)) from error

    async def _follow(
        self, node: NodeConnection, queue: ArrivalQueue, heads: HeadWatch, caught_up: asyncio.Event
    ) -> None:
        while True:
            head, wall_ns, mono_ns = await heads.announced.get()
            try:
                async for block in self._heads.follow(node, head):
                    await queue.put(BlockArrived(wall_ns, mono_ns, Lane.RPC, self.source, block))
            except (NodeAnswerError, NodeTimeout) as error:
                log.warning("head refused", source=self.source, error=error)
                queue.drop(Lane.RPC, self.source, "head_refused")
            caught_up.set()

    async def _watch(self, queue: ArrivalQueue, heads: HeadWatch, pending: PendingWatch) -> None:
        """Compare what is announced with what the node answers; subscribe again where it has gone silent."""
        while True:
            await self._clock.sleep(POLL_SECONDS)
            missed = await heads.poll()
            self.connected = heads.is_alive()
            if missed and heads.missed % RESUBSCRIBED_EVERY == 1:
                await queue.put(self._status(LaneState.GAP, "newHeads is silent, a poll shows a head", 1))
                await heads.subscribe()
                await pending.subscribe()
            elif pending.given_up:
                await queue.put(self._status(LaneState.GAP, "the node gave newPendingTransactions up"))
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
            if self._is_quiet(pending):
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


async def _client(node: NodeConnection) -> str:
    try:
        return shortened(str(await node.call("web3_clientVersion", timeout_seconds=ANSWER_SECONDS)))
    except (NodeAnswerError, NodeTimeout):
        return "unnamed client"


async def _lost(node: NodeConnection) -> None:
    raise await node.wait_closed()
