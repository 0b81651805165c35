"""Record a live node: what was seen and when, each block, its receipts, and the state it starts from.

    recorder = Recorder(rpc, out, blocks=10)     # a writer of captures; owns no socket but `rpc`
    recorder.begin()                             # the state to start from
    while not recorder.done:
        recorder.take(events)                    # what the daemon's own path would have logged
    recorder.finish()                            # written, read again and executed

The state comes in one of two ways. Whole: dumped once, proven by its root, carried from block to block by
executing and proven again each time. Or witnessed: what the block, and each transaction pending before it,
reads at its parent, listed by the node's prestateTracer where it has one, else found by executing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mev_dagster.captures.format import CaptureWriter, open_capture
from mev_dagster.captures.full_state import BLOCK_HASHES, newest_full_state
from mev_dagster.captures.manifest import ArrivalTimes, CaptureManifest, SearcherInfo
from mev_dagster.captures.record_witness import record_witness
from mev_dagster.chain.blocks import Block, Header
from mev_dagster.chain.jsonrpc import block_from_rpc, receipt_from_rpc, transaction_to_rpc
from mev_dagster.chain.receipts import Receipt, receipts_root
from mev_dagster.chain.transactions import Transaction, decode_transaction
from mev_dagster.errors import CaptureError, NodeAnswerError
from mev_dagster.events.types import (
    BlockReverted,
    BlockSeen,
    Event,
    TxBody,
    TxIncluded,
    TxReplaced,
    TxSeen,
)
from mev_dagster.evm.blocks import block_env, execute_block
from mev_dagster.evm.node.forks import schedule_of
from mev_dagster.evm.parity import check
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.rpc_state import RpcState
from mev_dagster.evm.state.witness import Witness
from mev_dagster.evm.types import SimulationEngine
from mev_dagster.hexadecimal import from_hex, to_hex
from mev_dagster.node.http import JsonRpc

PENDING_SIMULATED = 256  # newest pending transactions whose reads are recorded with a block
TRACER = {"tracer": "prestateTracer"}


@dataclass(frozen=True, slots=True)
class RecordedBlock:
    """A block with what a capture holds about it."""

    block: Block
    receipts: tuple[Receipt, ...]
    prestate: Prestate
    witness: Witness | None = None


class Recorder:
    """Follows the events of one node and records its next blocks."""

    def __init__(
        self,
        rpc: JsonRpc,
        out: Path | str,
        *,
        blocks: int,
        engine: SimulationEngine,
        whole_state: bool = False,
        witnesses: bool = False,
        searcher: SearcherInfo | None = None,
        contracts: Mapping[str, bytes] | None = None,
        on_start: Callable[[Header], None] = lambda head: None,
        on_block: Callable[[RecordedBlock], None] = lambda recorded: None,
    ) -> None:
        self._rpc, self._out, self._wanted = rpc, Path(out), blocks
        self._engine, self._whole_state, self._witnesses = engine, whole_state, witnesses
        self._searcher, self._contracts = searcher, dict(contracts or {})
        self._on_start, self._on_block = on_start, on_block
        self._events: list[Event] = []
        self._recorded: list[RecordedBlock] = []
        self._pending: dict[bytes, Transaction] = {}
        self._sighted: set[bytes] = set()
        self._traces = True
        self._state: Prestate | None = None
        self._start: Header

    @property
    def done(self) -> bool:
        """Say whether enough blocks have been recorded."""
        return len(self._recorded) >= self._wanted

    def begin(self) -> None:
        """Start after the node's newest block, with the whole state behind it if that is wanted."""
        self._chain_id = int(self._rpc.call("eth_chainId"), 16)
        self._client = str(self._rpc.call("web3_clientVersion"))
        if self._whole_state:
            self._start, self._state = newest_full_state(self._rpc)
        else:
            self._start = self._fetch("latest").header
        self._on_start(self._start)

    def take(self, events: Iterable[Event]) -> None:
        """Take events in log order; a new head is recorded at once, before the node forgets its state."""
        for event in events:
            if self.done:
                return
            self._events.append(event)
            self._follow_pending(event)
            if isinstance(event, BlockSeen) and event.number > self._start.number:
                self._record(event)
            elif isinstance(event, BlockReverted):
                self._revert(event)

    def finish(self) -> CaptureManifest:
        """Write the capture, read it back, execute every block of it, and raise where anything differs."""
        with CaptureWriter(
            self._out,
            chain_id=self._chain_id,
            arrival_times=ArrivalTimes.OBSERVED,
            recorded_with=f"mev capture record on {self._client}",
            searcher=self._searcher,
            contracts=self._contracts,
        ) as writer:
            for event in self._events:
                writer.add_event(event)
            for recorded in self._recorded:
                writer.add_block(recorded.block, recorded.receipts, recorded.prestate, recorded.witness)
        prove(self._out, self._engine)
        with open_capture(self._out) as capture:
            return capture.manifest

    # Events

    def _follow_pending(self, event: Event) -> None:
        if isinstance(event, TxSeen):
            self._sighted.add(event.tx_hash)
        elif isinstance(event, TxBody) and event.tx_hash in self._sighted:
            self._pending[event.tx_hash] = decode_transaction(event.raw)
        elif isinstance(event, TxReplaced):
            self._pending.pop(event.old_hash, None)
        elif isinstance(event, TxIncluded):
            self._pending.pop(event.tx_hash, None)

    def _revert(self, event: BlockReverted) -> None:
        if event.number <= self._start.number:
            raise CaptureError(f"block {event.number} was reverted, and recording starts after it")
        if self._recorded and self._recorded[-1].block.hash == event.block_hash:
            reverted = self._recorded.pop()
            if self._state is not None:
                self._state = reverted.prestate
            for transaction in reverted.block.transactions:
                if transaction.hash in self._sighted:
                    self._pending[transaction.hash] = transaction

    # One block

    def _record(self, head: BlockSeen) -> None:
        block = self._fetch(to_hex(head.block_hash))
        expected = self._recorded[-1].block.header.number if self._recorded else self._start.number
        if block.header.number != expected + 1:
            raise CaptureError(f"expected block {expected + 1}, the node went on to {block.header.number}")
        receipts = self._receipts(block)
        if self._state is not None:
            recorded = RecordedBlock(block, receipts, self._state)
            self._state = self._state_after(block, self._state)
        else:
            recorded = RecordedBlock(block, receipts, self._witnessed(block))
        if self._witnesses:
            read = recorded.prestate
            witness = record_witness(self._rpc, block, schedule_of(self._rpc), self._engine, read)
            recorded = replace(recorded, witness=witness)
        self._recorded.append(recorded)
        self._on_block(recorded)

    def _state_after(self, block: Block, state: Prestate) -> Prestate:
        result = execute_block(self._engine, state, block, self._chain_id)
        after = state.apply(result.state_diff)
        root = after.state_root()
        if root != block.header.state_root:
            raise CaptureError(
                f"block {block.header.number}: execution gives state root {to_hex(root)}, "
                f"the header says {to_hex(block.header.state_root)}"
            )
        hashes = {**state.block_hashes, block.header.number: block.hash}
        hashes.pop(block.header.number - BLOCK_HASHES, None)
        return replace(after, block_hashes=hashes)

    def _witnessed(self, block: Block) -> Prestate:
        """Return what the block and each pending transaction alone read from the parent's state."""
        state = RpcState(self._rpc, block.header.number - 1)
        self._prefetch(state, self._traced("debug_traceBlockByHash", to_hex(block.hash), TRACER))
        execute_block(self._engine, state, block, self._chain_id)
        env = block_env(block.header, self._chain_id)
        for transaction in list(self._pending.values())[-PENDING_SIMULATED:]:
            call = transaction_to_rpc(transaction)
            self._prefetch(state, self._traced("debug_traceCall", call, hex(state.number), TRACER))
            # One that is not valid on this state has read what makes it so; that is recorded too.
            self._engine.simulate(state, env, [transaction])
        return state.recorded()

    def _traced(self, method: str, *params: Any) -> list[Mapping[str, Any]]:
        """Return the accounts a tracer lists, by transaction; none where the node has no such tracer."""
        if not self._traces:
            return []
        try:
            answer = self._rpc.call(method, params)
        except NodeAnswerError:
            # A call may fail for its own reasons; a node that cannot trace the block cannot trace at all.
            self._traces = method != "debug_traceBlockByHash"
            return []
        entries = answer if isinstance(answer, list) else [{"result": answer}]
        results = [entry.get("result") for entry in entries if isinstance(entry, Mapping)]
        return [result for result in results if isinstance(result, Mapping)]

    @staticmethod
    def _prefetch(state: RpcState, traces: list[Mapping[str, Any]]) -> None:
        wanted: dict[bytes, set[int]] = {}
        try:
            for trace in traces:
                for address, fields in trace.items():
                    slots = wanted.setdefault(from_hex(address), set())
                    slots.update(int(slot, 16) for slot in (fields.get("storage") or {}))
        except (AttributeError, TypeError, ValueError) as error:
            raise NodeAnswerError(f"prestateTracer: expected accounts by address: {error}") from error
        if wanted:
            state.prefetch([(address, sorted(slots)) for address, slots in wanted.items()], codes=True)

    # The node

    def _fetch(self, block: str) -> Block:
        method = "eth_getBlockByHash" if len(block) == 66 else "eth_getBlockByNumber"
        answer = self._rpc.call(method, [block, True])
        if not isinstance(answer, Mapping):
            raise NodeAnswerError(f"{self._rpc.shown_url}: {method} {block}: no such block")
        return block_from_rpc(answer)

    def _receipts(self, block: Block) -> tuple[Receipt, ...]:
        try:
            answers = self._rpc.call("eth_getBlockReceipts", [to_hex(block.hash)])
        except NodeAnswerError:
            answers = self._rpc.batch(
                [("eth_getTransactionReceipt", [to_hex(tx.hash)]) for tx in block.transactions]
            )
        receipts = tuple(receipt_from_rpc(answer) for answer in answers or ())
        root = receipts_root(receipts)
        if root != block.header.receipts_root:
            raise NodeAnswerError(
                f"block {block.header.number}: the receipts have root {to_hex(root)}, "
                f"the header says {to_hex(block.header.receipts_root)}"
            )
        return receipts


def prove(path: Path | str, engine: SimulationEngine) -> None:
    """Execute every block of a capture on its own prestate; raise `CaptureError` at the first difference."""
    with open_capture(path) as capture:
        for number in capture.numbers:
            parity = check(
                capture.block(number),
                capture.prestate(number),
                capture.receipts(number),
                engine,
                chain=capture.chain_id,
            )
            for difference in parity.differences:
                where = "" if difference.tx is None else f" transaction {difference.tx}"
                raise CaptureError(
                    f"block {number}{where}: {difference.what}: recorded {difference.expected}, "
                    f"executed {difference.found}"
                )
