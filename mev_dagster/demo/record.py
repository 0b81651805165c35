"""Record the play into a capture: what a subscriber saw and when, every block, and the whole state before it.

What is seen goes through the ingest room's own lane and pipeline, so the capture holds what the daemon
would have logged. The state is anvil's dump, checked against each header's state root.
"""

import asyncio
import contextlib
import gzip
import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from prometheus_client import CollectorRegistry

from mev_dagster.captures.format import CaptureWriter, open_capture
from mev_dagster.captures.manifest import ArrivalTimes, SearcherInfo
from mev_dagster.captures.verify import verify_capture
from mev_dagster.chain.blocks import Block
from mev_dagster.chain.forks import DEVNET_CHAIN_ID
from mev_dagster.chain.jsonrpc import receipt_from_rpc
from mev_dagster.chain.keccak import EMPTY_CODE_HASH, keccak
from mev_dagster.chain.receipts import Receipt
from mev_dagster.demo.anvil import AnvilNode
from mev_dagster.demo.cast import Cast, phrase_of_role
from mev_dagster.demo.scenario import SLOT_SECONDS, Scenario, anvil_arguments
from mev_dagster.demo.script import SCRIPT, Act
from mev_dagster.demo.slot import Sending
from mev_dagster.errors import CaptureError, NodeAnswerError, NodeUnreachable
from mev_dagster.events.types import Event
from mev_dagster.evm.blocks import execute_block
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.prestate import Prestate
from mev_dagster.evm.types import Account
from mev_dagster.ingest.lanes.rpc import RpcLane
from mev_dagster.ingest.memory import DecodedTransactions
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.ingest.pipeline import Pipeline
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.ingest.rpc_ws import NodeConnection
from mev_dagster.telemetry.clock import SystemClock

CAPTURE = Path(__file__).with_name("capture")
SOURCE = "devnet"
QUEUE_ARRIVALS = 65_536
SEEN_WITHIN_SECONDS = 20.0
NS = 10**9

OnBlock = Callable[[Block, Sequence[Sending]], None]


class DevnetClock:
    """Real elapsed time on the devnet's calendar: its first moment is the timestamp of a block."""

    def __init__(self, timestamp: int) -> None:
        self._start_ns = time.monotonic_ns()
        self._epoch_ns = timestamp * NS

    def wall_ns(self) -> int:
        """Return the devnet's time in integer nanoseconds since 1970."""
        return self._epoch_ns + self.mono_ns()

    def mono_ns(self) -> int:
        """Return how long this clock has run."""
        return time.monotonic_ns() - self._start_ns

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(seconds)


@dataclass(slots=True)
class Observer:
    """A subscriber to the node, with the ingest room's own lane and pipeline."""

    lane: RpcLane
    pipeline: Pipeline
    queue: ArrivalQueue = field(default_factory=lambda: ArrivalQueue(QUEUE_ARRIVALS))

    @classmethod
    def of(cls, node: AnvilNode, clock: DevnetClock) -> "Observer":
        """Return an observer of `node`, not yet connected."""
        decoded = DecodedTransactions()
        pipeline = Pipeline(IngestMetrics(CollectorRegistry()), chain_id=DEVNET_CHAIN_ID, decoded=decoded)
        lane = RpcLane(node.ws_url, clock, decoded=decoded, chain_id=DEVNET_CHAIN_ID)
        lane.source = SOURCE  # the port of one recording is nobody's business
        return cls(lane, pipeline)

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Stay subscribed to the node."""
        task = asyncio.create_task(self.lane.run(self.queue))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, block: Block) -> list[Event]:
        """Return the events up to and including the head `block`."""
        events: list[Event] = []
        deadline = time.monotonic() + SEEN_WITHIN_SECONDS
        while self.pipeline.chain.tip is None or self.pipeline.chain.tip.hash != block.hash:
            left = deadline - time.monotonic()
            try:
                arrivals = await asyncio.wait_for(self.queue.take(QUEUE_ARRIVALS), left)
            except TimeoutError:
                raise NodeUnreachable(
                    f"block {block.header.number} was not announced within {SEEN_WITHIN_SECONDS:.0f} s"
                ) from None
            events.extend(self.pipeline.accept(arrivals))
        return events


async def record(
    out: Path,
    *,
    script: Sequence[Act] = SCRIPT,
    slot_seconds: float = SLOT_SECONDS,
    anvil: Path | None = None,
    on_block: OnBlock = lambda block, sent: None,
) -> None:
    """Stage the play on a fresh anvil and write what was seen of it to the capture `out`."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        node = stack.enter_context(AnvilNode(*anvil_arguments(Cast(), folder), binary=anvil))
        control = await NodeConnection.open(node.ws_url, SystemClock())
        stack.push_async_callback(control.close)

        scenario = Scenario(control, clock=SystemClock())
        parent = await scenario.prepare()
        hashes = await _ancestors(control, parent)
        states = [await _state(control, parent, hashes)]
        blocks: list[tuple[Block, list[Receipt]]] = []

        observer = Observer.of(node, DevnetClock(parent.header.timestamp))
        await stack.enter_async_context(observer.watching())
        writer = stack.enter_context(_writer(out, scenario, await control.call("web3_clientVersion")))
        _add_events(writer, await observer.until(parent))
        async for block, sent in scenario.play(parent, script=script, slot_seconds=slot_seconds):
            _add_events(writer, await observer.until(block))
            answer = await control.call("eth_getBlockReceipts", hex(block.header.number))
            blocks.append((block, [receipt_from_rpc(receipt) for receipt in answer]))
            hashes[block.header.number] = block.hash
            states.append(await _state(control, block, hashes))
            on_block(block, sent)
        # Roots are costly, and the next slot does not wait.
        for state, (block, receipts) in zip(states, blocks, strict=False):
            _check_root(state, parent)
            writer.add_block(block, receipts, state)
            parent = block


class Proof(TypedDict):
    """What a finished recording holds."""

    blocks: int
    txs: int
    events: int
    bytes: int


def prove(path: Path) -> Proof:
    """Verify a capture and execute every block of it; raise `CaptureError` where anything differs."""
    report = verify_capture(path)
    if not report.ok:
        raise CaptureError(report.errors[0])
    engine = get_engine()
    with open_capture(path) as capture:
        for number in capture.numbers:
            block, state = capture.block(number), capture.prestate(number)
            result = execute_block(engine, state, block, capture.chain_id)
            if result.receipts != capture.receipts(number):
                raise CaptureError(f"block {number}: execution gives other receipts than the node did")
            if state.apply(result.state_diff).state_root() != block.header.state_root:
                raise CaptureError(f"block {number}: execution gives another state root than the node did")
        size = sum(part.bytes for part in capture.manifest.parts)
    return Proof(blocks=report.blocks, txs=report.txs, events=report.events, bytes=size)


def _writer(out: Path, scenario: Scenario, client: str) -> CaptureWriter:
    searcher, market = scenario.cast.searcher, scenario.market
    executors = {
        "searcher's executor": market.executors[searcher.address],
        "rival's executor": market.executors[scenario.cast.rival.address],
        "keeper's executor": market.executors[scenario.cast.keeper.address],
        "builder": scenario.cast.builder.address,
    }
    return CaptureWriter(
        out,
        chain_id=DEVNET_CHAIN_ID,
        arrival_times=ArrivalTimes.OBSERVED,
        recorded_with=f"mev demo record on {client}",
        searcher=SearcherInfo(
            phrase_of_role(searcher.role), searcher.address, market.executors[searcher.address], market.weth
        ),
        contracts={**market.names(), **executors},
        overwrite=True,
    )


def _add_events(writer: CaptureWriter, events: Iterable[Event]) -> None:
    for event in events:
        writer.add_event(event)


async def _ancestors(control: NodeConnection, head: Block) -> dict[int, bytes]:
    requests = [("eth_getBlockByNumber", [hex(number), False]) for number in range(head.header.number + 1)]
    headers = await control.call_all(requests)
    return {int(header["number"], 16): bytes.fromhex(header["hash"][2:]) for header in headers}


async def _state(control: NodeConnection, block: Block, hashes: dict[int, bytes]) -> Prestate:
    """Return the whole state behind `block`, which is the state before the next one."""
    dump = json.loads(gzip.decompress(bytes.fromhex((await control.call("anvil_dumpState"))[2:])))
    if dump["best_block_number"] != block.header.number:
        raise NodeAnswerError(
            f"anvil_dumpState: expected block {block.header.number}, found {dump['best_block_number']}"
        )
    accounts, codes = {}, {}
    for address, fields in dump["accounts"].items():
        code = bytes.fromhex(fields["code"][2:])
        code_hash = keccak(code) if code else EMPTY_CODE_HASH
        if code:
            codes[code_hash] = code
        stored = {int(slot, 16): int(value, 16) for slot, value in fields["storage"].items()}
        accounts[bytes.fromhex(address[2:])] = Account(
            balance_wei=int(fields["balance"], 16),
            nonce=fields["nonce"],
            code_hash=code_hash,
            storage={slot: value for slot, value in stored.items() if value},
        )
    return Prestate(accounts, codes, dict(hashes), complete=True)


def _check_root(state: Prestate, behind: Block) -> None:
    root = state.state_root()
    if root != behind.header.state_root:
        raise CaptureError(
            f"block {behind.header.number}: the dumped state has root 0x{root.hex()}, "
            f"the header says 0x{behind.header.state_root.hex()}"
        )
