"""What the p2p lane tells peers about its chain: from an execution node over JSON-RPC, or by mimicry."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from mev_dagster.chain.blocks import encode_header, header_hash
from mev_dagster.chain.jsonrpc import header_from_rpc, quantity
from mev_dagster.chain.networks import network_of
from mev_dagster.devp2p.chain import ChainHead, KnownChain, MimicChain
from mev_dagster.devp2p.eth.messages import BlockRangeUpdate, Status
from mev_dagster.devp2p.forkid import ForkId, ForkTable
from mev_dagster.devp2p.networks import fork_table, fork_table_of, public_network
from mev_dagster.devp2p.responder import Headers, NoHeaders
from mev_dagster.devp2p.session import StatusSource
from mev_dagster.errors import DecodeError, NodeAnswerError, NodeUnreachable, UnsupportedFork
from mev_dagster.evm.node.forks import schedule_of
from mev_dagster.node.envelope import shortened
from mev_dagster.node.http import JsonRpc
from mev_dagster.telemetry.clock import Clock
from mev_dagster.telemetry.logging import logger
from mev_dagster.units import NS_PER_SECOND

REFRESH_SECONDS = 4.0
HEADERS_KEPT = 512

log = logger("ingest.p2p")


class PeerChain(Protocol):
    """Everything the lane needs to know of a chain."""

    @property
    def statuses(self) -> StatusSource:
        """What each end of a new conversation is told; there once `prepare` has returned."""
        ...

    @property
    def headers(self) -> Headers:
        """Recent headers, for peers that ask."""
        ...

    async def prepare(self) -> None:
        """Learn what must be known before the first peer."""
        ...

    async def follow(self) -> None:
        """Stay up to date until cancelled."""
        ...

    def fork_id(self) -> ForkId | None:
        """Return the fork id of our head, None while it is unknown."""
        ...

    def served_range(self) -> BlockRangeUpdate | None:
        """Return what to tell peers of eth/69 and later now and then."""
        ...


class Mimicry:
    """No execution node at hand: say what peers say."""

    def __init__(self, clock: Clock, chain_id: int | None) -> None:
        known = public_network(chain_id or 0)
        self._clock, self._forks = clock, known.forks if known else None
        self._mimic = MimicChain(clock, network_id=chain_id, forks=self._forks)
        self.statuses: StatusSource = self._mimic
        self.headers: Headers = NoHeaders()

    @property
    def learned(self) -> Status | None:
        """What the first peer said of the chain, None before."""
        return self._mimic.learned

    async def prepare(self) -> None:
        """There is nothing to learn yet."""

    async def follow(self) -> None:
        """There is nothing to follow."""
        await asyncio.Event().wait()

    def fork_id(self) -> ForkId | None:
        """Compute it from the fork table and the time, where the chain is a public one."""
        return self._forks.fork_id(2**63, self._clock.wall_ns() // NS_PER_SECOND) if self._forks else None

    def served_range(self) -> BlockRangeUpdate | None:
        """Claim nothing new."""
        return None


class RecentHeaders:
    """The newest headers by number and hash."""

    def __init__(self) -> None:
        self._by_number: OrderedDict[int, tuple[bytes, bytes]] = OrderedDict()
        self._numbers: dict[bytes, int] = {}

    def add(self, number: int, block_hash: bytes, header: bytes) -> None:
        """Keep a header; another at its number is replaced."""
        if (old := self._by_number.pop(number, None)) is not None:
            self._numbers.pop(old[0], None)
        self._by_number[number] = (block_hash, header)
        self._numbers[block_hash] = number
        if len(self._by_number) > HEADERS_KEPT:
            _, (forgotten, _) = self._by_number.popitem(last=False)
            self._numbers.pop(forgotten, None)

    def find(self, start: int | bytes) -> tuple[int, bytes] | None:
        """Return number and RLP of a header by number or hash."""
        number = self._numbers.get(start) if isinstance(start, bytes) else start
        entry = self._by_number.get(number) if number is not None else None
        return None if entry is None or number is None else (number, entry[1])


class RpcChain:
    """Follows an execution node: its head is our Status, its headers are our answers."""

    def __init__(self, url: str, *, connect: Callable[[str], JsonRpc] = JsonRpc) -> None:
        self._rpc = connect(url)
        self._recent = RecentHeaders()
        self.headers: Headers = self._recent
        self._known: KnownChain | None = None

    @property
    def statuses(self) -> StatusSource:
        """The chain as statuses; `prepare` has read it."""
        assert self._known is not None, "prepare comes first"
        return self._known

    @property
    def head(self) -> ChainHead:
        """The newest head."""
        assert self._known is not None, "prepare comes first"
        return self._known.head

    async def prepare(self) -> None:
        """Read chain id, genesis and head; raises `NodeUnreachable`."""
        self._known = KnownChain(await asyncio.to_thread(self._first_head))

    async def follow(self) -> None:
        """Refresh the head; a node that does not answer leaves the last one standing."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await asyncio.to_thread(self._refresh)
            except (NodeUnreachable, NodeAnswerError, DecodeError) as error:
                log.warning("chain head is stale", error=error)

    def fork_id(self) -> ForkId | None:
        """Compute the fork id of the head."""
        return self.head.forks.fork_id(self.head.number, self.head.time)

    def served_range(self) -> BlockRangeUpdate | None:
        """Tell where the head is."""
        return BlockRangeUpdate(self.head.earliest, self.head.number, self.head.hash)

    def _first_head(self) -> ChainHead:
        answer = self._rpc.call("eth_chainId")
        try:
            chain_id = int(answer, 16)
        except (TypeError, ValueError):
            raise NodeAnswerError(
                f"eth_chainId: expected a number, found {shortened(repr(answer))}"
            ) from None
        genesis_hash, time = self._read("0x0")[1:3]
        forks = self._forks(chain_id, genesis_hash, time)
        number, block_hash, time = self._read("latest")
        return ChainHead(chain_id, forks, number, time, block_hash)

    def _forks(self, chain_id: int, genesis_hash: bytes, genesis_time: int) -> ForkTable:
        """Return the chain's forks, with those that the node has scheduled and we have not."""
        try:
            schedule = schedule_of(self._rpc)
        except UnsupportedFork:
            return ForkTable(genesis_hash, genesis_time=genesis_time)
        network = network_of(chain_id)
        if network is not None and network.genesis_hash == genesis_hash:
            return fork_table_of(network, schedule)
        return fork_table(schedule, genesis_hash, genesis_time=genesis_time)

    def _refresh(self) -> None:
        head = self.head
        number, block_hash, time = self._read("latest")
        for missed in range(max(head.number + 1, number - HEADERS_KEPT), number):
            self._read(quantity(missed))
        assert self._known is not None, "prepare comes first"
        self._known.head = ChainHead(head.network_id, head.forks, number, time, block_hash)

    def _read(self, which: str) -> tuple[int, bytes, int]:
        answer = self._rpc.call("eth_getBlockByNumber", [which, False])
        if not isinstance(answer, dict):
            raise NodeAnswerError(
                f"eth_getBlockByNumber {which}: expected a block, found {shortened(repr(answer))}"
            )
        header = header_from_rpc(answer)
        block_hash = header_hash(header)
        self._recent.add(header.number, block_hash, encode_header(header))
        return header.number, block_hash, header.timestamp
