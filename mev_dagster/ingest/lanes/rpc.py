"""The RPC lane: a live node over WebSocket. Pending transactions, new heads, reorgs, reconciliation."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from mev_dagster.errors import InputError, NodeAnswerError
from mev_dagster.events.types import Lane, LaneState, LaneStatus
from mev_dagster.ingest.arrivals import UNLOGGED, BlockArrived
from mev_dagster.ingest.lanes.lane import LaneFactory, LaneMaker, LaneOrder
from mev_dagster.ingest.lanes.rpc_heads import HeadFollower
from mev_dagster.ingest.lanes.rpc_pending import PendingWatch
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.ingest.tasks import run_until_one_ends
from mev_dagster.node.websocket import NodeConnection, check_websocket_url
from mev_dagster.telemetry.clock import Clock
from mev_dagster.telemetry.logging import logger
from mev_dagster.windows.canonical_chain import CanonicalChain
from mev_dagster.windows.memory import DecodedTransactions

log = logger("ingest.rpc")

HEADS_WAITING = 64  # the newest one leads to all before it


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
        )


Announced = tuple[dict[str, Any], int, int]  # header, wall_ns, mono_ns


class RpcLane:
    """One node. `run` is one connection's life; heads are remembered from one life to the next."""

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
    ) -> None:
        parts = urlsplit(check_websocket_url(url))
        self.source = parts.netloc.rpartition("@")[2]
        self.connected = False
        self._url, self._clock = url, clock
        self._knows = knows
        self._decoded = decoded or DecodedTransactions()
        self._heads = HeadFollower(chain or CanonicalChain(), self._decoded)
        self._chain_id = chain_id

    async def run(self, queue: ArrivalQueue) -> None:
        """Connect, subscribe, catch up, then deliver until the connection is lost."""
        node = await NodeConnection.open(self._url, self._clock)
        try:
            await self._check_chain(node)
            announced: asyncio.Queue[Announced] = asyncio.Queue(HEADS_WAITING)
            pending = PendingWatch(
                node, queue, self.source, clock=self._clock, knows=self._knows, decoded=self._decoded
            )
            await node.subscribe("newHeads", notified=lambda raw, *at: _announce(announced, raw, *at))
            await pending.subscribe()
            self.connected = True
            await queue.put(self._status(LaneState.CONNECTED, await _client(node)))
            log.info("connected", source=self.source)
            await self._catch_up(node, queue, pending)
            await run_until_one_ends(
                self._follow(node, queue, announced, pending), pending.fetch_bodies(), _lost(node)
            )
        finally:
            await node.close()

    async def _check_chain(self, node: NodeConnection) -> None:
        found = await node.call("eth_chainId")
        if self._chain_id is not None and found != hex(self._chain_id):
            raise InputError(f"{node.address}: expected chain id {self._chain_id}, the node says {found}")

    async def _catch_up(self, node: NodeConnection, queue: ArrivalQueue, pending: PendingWatch) -> None:
        """Fill what happened before the subscriptions stood: blocks first, then the node's pool."""
        head = await node.call("eth_getBlockByNumber", "latest", False)
        await self._deliver(node, queue, (head, self._clock.wall_ns(), self._clock.mono_ns()))
        await self._resync(queue, pending)

    async def _follow(
        self,
        node: NodeConnection,
        queue: ArrivalQueue,
        announced: "asyncio.Queue[Announced]",
        pending: PendingWatch,
    ) -> None:
        while True:
            await self._deliver(node, queue, await announced.get())
            if pending.lost and len(queue) < queue.capacity // 2:
                await self._resync(queue, pending)

    async def _deliver(self, node: NodeConnection, queue: ArrivalQueue, announced: Announced) -> None:
        head, wall_ns, mono_ns = announced
        async for block in self._heads.follow(node, head):
            await queue.put(BlockArrived(wall_ns, mono_ns, Lane.RPC, self.source, block))

    async def _resync(self, queue: ArrivalQueue, pending: PendingWatch) -> None:
        count = await pending.resync()
        reason = "the node has no txpool API" if count is None else "txpool_content"
        await queue.put(self._status(LaneState.RESYNCED, reason, count or 0))

    def _status(self, state: LaneState, reason: str, count: int = 0) -> LaneStatus:
        stamp = (UNLOGGED, self._clock.wall_ns(), self._clock.mono_ns(), Lane.RPC, self.source)
        return LaneStatus(*stamp, state, reason, count)


def _announce(heads: "asyncio.Queue[Announced]", raw: msgspec.Raw, wall_ns: int, mono_ns: int) -> None:
    if heads.full():
        heads.get_nowait()
    heads.put_nowait((msgspec.json.decode(raw), wall_ns, mono_ns))


async def _client(node: NodeConnection) -> str:
    try:
        return str(await node.call("web3_clientVersion"))
    except NodeAnswerError:
        return "unnamed client"


async def _lost(node: NodeConnection) -> None:
    raise await node.wait_closed()
