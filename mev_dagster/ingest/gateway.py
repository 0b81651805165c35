"""A gateway fed by a lane: whatever a lane brings in, a real devp2p peer announces and serves.

So the whole p2p lane runs offline: anvil has a pool but no devp2p, a capture has neither.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Protocol

from mev_dagster.captures.format import Capture, open_capture
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.signing import sign_transaction
from mev_dagster.devp2p.chain import ChainHead, KnownChain, MimicChain
from mev_dagster.devp2p.forkid import ForkTable
from mev_dagster.devp2p.gateway import Gateway
from mev_dagster.devp2p.keys import NodeKey
from mev_dagster.devp2p.network import NetworkConfig, PeerNetwork
from mev_dagster.devp2p.networks import public_network
from mev_dagster.devp2p.responder import Headers, NoHeaders
from mev_dagster.devp2p.session import StatusSource
from mev_dagster.events.types import TxBody
from mev_dagster.ingest.lanes.capture import CaptureLane
from mev_dagster.ingest.lanes.lane import IngestLane
from mev_dagster.ingest.lanes.p2p_chain import RpcChain
from mev_dagster.ingest.lanes.rpc import RpcLane
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.telemetry.clock import SystemClock
from mev_dagster.units import ETHER

GENERATED_CHAIN_ID = 1337
GENERATED_KEYS = 64
QUEUE_ARRIVALS = 8_192
BATCH_SECONDS = 0.1


class GatewaySource(Protocol):
    """A chain to be on, and transactions to serve."""

    statuses: StatusSource
    headers: Headers

    async def prepare(self) -> None:
        """Learn what a Status needs."""
        ...

    def batches(self) -> AsyncIterator[list[bytes]]:
        """Yield raw transactions as they come; ends when there are no more."""
        ...


class LaneSource:
    """The bodies of a lane, on the chain that `statuses` describes."""

    def __init__(self, lane: IngestLane, statuses: StatusSource) -> None:
        self.statuses = statuses
        self.headers: Headers = NoHeaders()
        self._lane = lane

    async def prepare(self) -> None:
        """Everything is known."""

    async def batches(self) -> AsyncIterator[list[bytes]]:
        """Run the lane and yield its bodies."""
        queue = ArrivalQueue(QUEUE_ARRIVALS)
        running = asyncio.create_task(self._run(queue))
        try:
            while arrivals := await queue.take(1024):
                raws = [arrival.raw for arrival in arrivals if isinstance(arrival, TxBody)]
                if raws:
                    yield raws
            await running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def _run(self, queue: ArrivalQueue) -> None:
        try:
            await self._lane.run(queue)
        finally:
            queue.close()


class RpcSource(LaneSource):
    """A node's pool; the node is also the chain."""

    def __init__(self, url: str) -> None:
        clock = SystemClock()
        self._chain = RpcChain("http" + url.removeprefix("ws") if url.startswith("ws") else url)
        super().__init__(RpcLane(url, clock), MimicChain(clock))
        self.headers = self._chain.headers

    async def prepare(self) -> None:
        """Ask the node for its chain."""
        await self._chain.prepare()
        self.statuses = self._chain.statuses


class GeneratedSource:
    """Made-up transfers at a steady rate: the same ones every time for the same seed."""

    def __init__(self, per_second: float, *, seed: int = 1) -> None:
        self.statuses: StatusSource = KnownChain(synthetic_head(GENERATED_CHAIN_ID))
        self.headers: Headers = NoHeaders()
        self._per_second, self._seed = per_second, seed

    async def prepare(self) -> None:
        """Everything is known."""

    async def batches(self) -> AsyncIterator[list[bytes]]:
        """Yield what is due, ten times a second, for ever."""
        made = generated_transactions(self._seed)
        due = 0.0
        while True:
            due += self._per_second * BATCH_SECONDS
            count, due = int(due), due % 1
            if count:
                yield [next(made) for _ in range(count)]
            await asyncio.sleep(BATCH_SECONDS)


def generated_transactions(seed: int) -> Iterator[bytes]:
    """Yield signed transfers of a few accounts, nonces in order, types 0 and 2 mixed."""
    rng = random.Random(seed)  # noqa: S311 - traffic, not secrets
    keys = [keccak(b"gateway account %d of %d" % (index, seed)) for index in range(GENERATED_KEYS)]
    nonces = [0] * GENERATED_KEYS
    while True:
        index = rng.randrange(GENERATED_KEYS)
        legacy = rng.random() < 0.2
        tip = rng.randrange(10**6, 10**10)
        yield sign_transaction(
            keys[index],
            type=0 if legacy else 2,
            chain_id=GENERATED_CHAIN_ID,
            nonce=nonces[index],
            to=rng.randbytes(20),
            gas_limit=50_000,
            value_wei=rng.randrange(ETHER),
            data=rng.randbytes(rng.choice((0, 0, 4, 68, 196))),
            gas_price_wei=10**10 + tip if legacy else None,
            max_fee_per_gas_wei=None if legacy else 10**11 + tip,
            max_priority_fee_per_gas_wei=None if legacy else tip,
        ).raw
        nonces[index] += 1


def rpc_source(url: str) -> GatewaySource:
    """Serve a live node's pool."""
    return RpcSource(url)


def capture_source(path: Path, speed: float | None) -> GatewaySource:
    """Serve the transactions of a capture."""
    capture = open_capture(path)
    return LaneSource(CaptureLane(capture, SystemClock(), speed=speed), capture_chain(capture))


def capture_chain(capture: Capture) -> KnownChain:
    """Return the chain of a capture as a peer tells it, its head at the first block."""
    header = capture.block(capture.numbers[0]).header
    head = synthetic_head(capture.manifest.chain_id, header.number, header.timestamp, header.parent_hash)
    return KnownChain(head)


def generator_source(per_second: float, *, seed: int = 1) -> GatewaySource:
    """Serve made-up transactions."""
    return GeneratedSource(per_second, seed=seed)


def synthetic_head(
    chain_id: int, number: int = 0, time: int = 0, block_hash: bytes | None = None
) -> ChainHead:
    """Return a head on a public chain, or on a made-up one whose genesis follows from its id."""
    known = public_network(chain_id)
    forks = known.forks if known else ForkTable(keccak(b"genesis of chain %d" % chain_id))
    return ChainHead(chain_id, forks, number, time, block_hash or forks.genesis)


async def run_gateway(
    source: GatewaySource,
    *,
    port: int = 0,
    seconds: float | None = None,
    started: Callable[[str], None] = lambda _: None,
    key: NodeKey | None = None,
) -> None:
    """Serve until cancelled, or for so many seconds; what was served stays served when the source ends."""
    await source.prepare()
    gateway = Gateway(headers=source.headers)
    config = NetworkConfig(listen_port=port)
    network = PeerNetwork(key or NodeKey.generate(), gateway, source.statuses, config)
    await network.start()
    started(str(network.enode))
    try:
        async with asyncio.timeout(seconds):
            async with aclosing(source.batches()) as batches:  # type: ignore[type-var]
                async for raws in batches:
                    gateway.add(raws)
            await asyncio.Event().wait()
    except TimeoutError:
        pass
    finally:
        await network.close()
