"""The p2p lane beside an execution node that may not answer: mimicry first, the node's word when it comes."""

import asyncio
from collections.abc import Callable

from mev_dagster.devp2p.eth.messages import BlockRangeUpdate, Status
from mev_dagster.devp2p.forkid import ForkId
from mev_dagster.devp2p.responder import Headers
from mev_dagster.devp2p.session import StatusSource
from mev_dagster.errors import MevError
from mev_dagster.ingest.lanes.p2p_chain import Mimicry, PeerChain, RpcChain
from mev_dagster.node.http import JsonRpc
from mev_dagster.telemetry.clock import Clock
from mev_dagster.telemetry.logging import logger

NODE_PATIENCE_SECONDS = 3.0  # for a node's first answer, before peers are dialled without it
NODE_RETRY_SECONDS = 10.0

log = logger("ingest.p2p")


class UpgradingChain:
    """What peers say until an execution node answers; then that node's chain, its last head when it dies.

    devp2p is the primary lane: no state of an RPC endpoint keeps it from dialling.
    """

    def __init__(
        self,
        clock: Clock,
        chain_id: int | None,
        url: str,
        *,
        connect: Callable[[str], JsonRpc] = JsonRpc,
        patience_seconds: float = NODE_PATIENCE_SECONDS,
        retry_seconds: float = NODE_RETRY_SECONDS,
    ) -> None:
        self._clock, self._chain_id, self._url, self._connect = clock, chain_id, url, connect
        self._patience_seconds, self._retry_seconds = patience_seconds, retry_seconds
        self._mimicry = Mimicry(clock, chain_id)
        self._current: PeerChain = self._mimicry
        self._asking: asyncio.Task[RpcChain] | None = None

    @property
    def statuses(self) -> StatusSource:
        """What each end of a new conversation is told; it changes when a node answers."""
        return self

    @property
    def headers(self) -> Headers:
        """Recent headers, none before a node answered."""
        return self

    @property
    def upgraded(self) -> bool:
        """Say whether a node tells what chain this is."""
        return self._current is not self._mimicry

    def own_status(self, version: int, remote: Status | None) -> Status | None:
        """Say what the node says, or what the peer does."""
        return self._current.statuses.own_status(version, remote)

    def refusal(self, remote: Status) -> str | None:
        """Judge a peer by the node's chain, or by what was learned from peers."""
        return self._current.statuses.refusal(remote)

    def find(self, start: int | bytes) -> tuple[int, bytes] | None:
        """Return number and RLP of a header by number or hash."""
        return self._current.headers.find(start)

    async def prepare(self) -> None:
        """Give the node a moment to answer, and start without it otherwise."""
        asking = self._asking = asyncio.create_task(self._ask())
        await asyncio.wait({asking}, timeout=self._patience_seconds)
        if asking.done():
            self._settle(asking)
        else:
            log.warning("the node is slow to answer: peers are told what peers say")

    async def follow(self) -> None:
        """Upgrade when the node answers, and stay up to date."""
        try:
            while not self.upgraded:
                if self._asking is None:
                    await self._clock.sleep(self._retry_seconds)
                    self._asking = asyncio.create_task(self._ask())
                await asyncio.wait({self._asking})
                self._settle(self._asking)
            await self._current.follow()
        finally:
            if self._asking is not None:
                self._asking.cancel()

    def fork_id(self) -> ForkId | None:
        """Return the fork id of the head as far as it is known."""
        return self._current.fork_id()

    def served_range(self) -> BlockRangeUpdate | None:
        """Tell where the node's head is."""
        return self._current.served_range()

    async def _ask(self) -> RpcChain:
        chain = RpcChain(self._url, connect=self._connect)
        await chain.prepare()
        return chain

    def _settle(self, asked: "asyncio.Task[RpcChain]") -> None:
        """Take over the chain of a node that answered, unless it is another than the peers'."""
        self._asking = None
        try:
            chain = asked.result()
        except MevError as error:
            log.warning("no node answers: peers are told what peers say", error=error)
            return
        learned = self._mimicry.learned
        expected = learned.network_id if learned else self._chain_id
        forks = chain.head.forks
        if expected not in (None, chain.head.network_id) or (learned and learned.genesis != forks.genesis):
            log.error("the node is on another chain than the peers", chain_id=chain.head.network_id)
            return
        self._current = chain
        log.info("the node tells what chain this is", chain_id=chain.head.network_id)
