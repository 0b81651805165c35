"""One block's run: what it stands on, who may write its rows, and what its steps share.

Whatever is worked out here follows from the log, the chain and the store, so a step that runs alone works out
the same again. Every write of a run goes through `replace` or `insert_new`, which hold the block's fence.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from opentelemetry.trace import Span

from mev_dagster.blockrun.decide import Decision, recheck
from mev_dagster.blockrun.sealed import remote_span
from mev_dagster.captures.source import ChainSource, NodeSource
from mev_dagster.chain.blocks import Block
from mev_dagster.chain.receipts import Receipt, receipts_root
from mev_dagster.errors import InputError, Superseded
from mev_dagster.events.reader import EventLogReader
from mev_dagster.events.types import Event
from mev_dagster.evm.recheck import Recheck
from mev_dagster.evm.types import SimulationEngine
from mev_dagster.features.mempool import PENDING_WINDOWS, PendingSet, pending_before
from mev_dagster.features.tx import TxFeatures, features_of
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs.bidding import BidStrategy
from mev_dagster.pbs.keys import Keyring
from mev_dagster.search.from_log import log_inputs
from mev_dagster.search.inputs import SearchInputs, known_only
from mev_dagster.search.recheck import PARITY_MISMATCH
from mev_dagster.search.run import DEFAULT_BUDGET, Prepared, prepare, propose
from mev_dagster.store.client import Store
from mev_dagster.telemetry.clock import Clock, SystemClock
from mev_dagster.telemetry.tracing import Tracing, trace_id_of
from mev_dagster.windows.fence import BlockFence, superseded
from mev_dagster.windows.log_windows import WindowSpan, find_window, log_identity
from mev_dagster.windows.rows import Rows, window_rows
from mev_dagster.windows.window_store import ensure_window

LOCKS = "locks"
_SQL = resources.files("mev_dagster.blockrun")
WINDOW_START_SQL = (_SQL / "window_start.sql").read_text()
ARRIVAL_SQL = (_SQL / "arrival.sql").read_text()
KNOWN_PAIRS_SQL = (_SQL / "known_pairs.sql").read_text()
DOUBTED_SQL = (_SQL / "doubted.sql").read_text()
STORED_TRACE_SQL = (_SQL / "stored_trace.sql").read_text()


@dataclass
class BlockRun:
    """Everything a run of block `number` works out, each part when it is first asked for.

    `expected_hash` is the block the run was started for, where that is known. `live` says that it follows a
    head. A submission has `deadline_ms`; `strategies` say what each relay is bid. Without `tracing` its rows
    belong to no trace.
    """

    number: int
    store: Store
    reader: EventLogReader
    source: ChainSource
    engine: SimulationEngine
    judge: Recheck
    home: Path
    keys: Keyring
    deadline_ms: int
    tracing: Tracing | None = None
    budget: int = DEFAULT_BUDGET
    strategies: Mapping[str, BidStrategy] = field(default_factory=dict)
    expected_hash: bytes | None = None
    live: bool = False
    run_id: str = ""
    clock: Clock = field(default_factory=SystemClock)
    _root: Span | None = None

    # What the run stands on

    @cached_property
    def span(self) -> WindowSpan:
        """Where the block's window lies in the log; `Superseded` when it leads to an unexpected block."""
        expected = self.expected_hash
        try:
            found = find_window(self.reader, self.number)
        except Superseded:
            raise (
                superseded(self.number, expected, None)
                if expected
                else InputError(f"block {self.number} was reverted and has no successor yet")
            ) from None
        if expected is not None and found.block_hash != expected:
            raise superseded(self.number, expected, found.block_hash)
        return found

    @cached_property
    def window(self) -> Rows:
        """The rows of the block's window, from the log alone."""
        rows = window_rows(self.reader, self.number, span=self.span)
        (window,) = rows.written["ingest_windows"]
        if window["block_hash"] != self.span.block_hash:
            raise superseded(self.number, self.span.block_hash, window["block_hash"])
        return rows

    @property
    def time_ns(self) -> int:
        """When the block was, as its header in the log says."""
        (window,) = self.window.written["ingest_windows"]
        return int(window["block_time"])

    @cached_property
    def block(self) -> Block:
        """The block that landed; `Superseded` when the chain already has another one of that number."""
        found = self.source.block(self.number)
        if found.hash != self.span.block_hash:
            raise superseded(self.number, self.span.block_hash, found.hash)
        return found

    @cached_property
    def receipts(self) -> tuple[Receipt, ...]:
        """The block's receipts; `Superseded` when the chain gives another block's."""
        found = self.source.receipts(self.number)
        if receipts_root(found) != self.block.header.receipts_root:
            raise superseded(self.number, self.span.block_hash, self.source.block(self.number).hash)
        return found

    @property
    def arrived_ns(self) -> int:
        """When the head reached this machine: as seen on a live node, as stored when a capture is played."""
        if isinstance(self.source, NodeSource):
            return self.inputs.at_ns
        found = self.store.rows(ARRIVAL_SQL, {"number": self.number, "log_id": log_identity(self.reader)})
        return int(found[0][0]) if found else self.inputs.at_ns

    # Who may write

    @cached_property
    def fence(self) -> BlockFence:
        """What stands before every write of this run."""
        return BlockFence(self.span, self.reader.directory, self.home / LOCKS)

    def replace(self, table: str, where: Mapping[str, Any], columns: Mapping[str, Sequence[Any]]) -> int:
        """Make the rows that match be exactly these, while the block stands and no other run writes it."""
        with self.fence.held():
            return self.store.replace(table, where, columns)

    def insert_new(self, table: str, columns: Mapping[str, Sequence[Any]], *, key: str) -> int:
        """Add rows whose key is new, under the same guard."""
        with self.fence.held():
            return self.store.insert_new(table, columns, key=key)

    def ensure_window(self) -> int:
        """Make the store hold the window's rows; return how many were written again."""
        with self.fence.held():
            return ensure_window(self.store, self.window)

    def lost_its_block(self) -> bool:
        """Say whether the log has reverted the block since."""
        try:
            self.fence.check()
        except Superseded:
            return True
        return False

    # What its steps share

    @cached_property
    def inputs(self) -> SearchInputs:
        """What the search starts from."""
        return log_inputs(
            self._events(),
            self.number,
            self.span.block_hash,
            source=self.source,
            engine=self.engine,
            known_pairs=known_pairs(self.store, self.number),
        )

    @cached_property
    def pending(self) -> PendingSet:
        """What was pending before the block, from the log alone."""
        return pending_before(self._events(), self.span.block_hash)

    @cached_property
    def features(self) -> tuple[TxFeatures, ...]:
        """What every pending transaction asks for and offers."""
        inputs = self.inputs
        state = known_only(inputs.prestate)
        return tuple(features_of(inputs.pending, state, inputs.env, inputs.at_ns).values())

    @cached_property
    def prepared(self) -> Prepared:
        """The block looked at: pending transactions tried out."""
        return prepare(self.inputs, self.engine)

    @cached_property
    def decision(self) -> Decision:
        """The candidates, executed, ranked and rechecked: what everything later is built on."""
        found = propose(self.prepared, budget=self.budget)
        parent_hash = self.inputs.env.parent_hash
        return recheck(found, self.judge, doubted=doubted_ids(self.store, self.number, parent_hash))

    # Its trace

    @property
    def root(self) -> Span:
        """The span above everything done for this block; its trace id follows the decision to the relay.

        A step that runs alone joins the trace that the stored candidates began.
        """
        if self._root is None:
            found = self.store.rows(STORED_TRACE_SQL, {"number": self.number})
            self._root = remote_span(found[0][0], found[0][0][:8]) if found else self.begin_trace()
        return self._root

    def begin_trace(self) -> Span:
        """Begin the trace of a new decision."""
        block_hash = to_hex(self.span.block_hash)
        with self.spans.span(
            "slot", block_number=self.number, block_hash=block_hash, run_id=self.run_id
        ) as span:
            self._root = span
        return span

    @property
    def spans(self) -> Tracing:
        """Where the run's spans go."""
        if self.tracing is None:
            raise InputError(f"block {self.number}: this run keeps no trace")
        return self.tracing

    @property
    def trace_id(self) -> bytes | None:
        """The id of the block's trace, None for a run that keeps none."""
        return None if self.tracing is None else trace_id_of(self.root)

    def _events(self) -> Iterator[Event]:
        """Read as much of the log as decides what was pending."""
        parameters = {
            "log_id": log_identity(self.reader),
            "seq": self.span.last_seq,
            "windows": PENDING_WINDOWS,
        }
        found = self.store.rows(WINDOW_START_SQL, parameters)
        start = max(int(found[0][0]) if found else 0, self.reader.first_seq)
        for event in self.reader.read(start):
            if event.seq > self.span.last_seq:
                return
            yield event


def keys_for(source: ChainSource) -> Keyring:
    """Return the builder's keys: of this process alone beside a node, the public TEST-ONLY ones on a capture.

    So a block of a capture has the same template however often it runs.
    """
    return Keyring.ephemeral() if isinstance(source, NodeSource) else Keyring.test_only("replay")


def known_pairs(store: Store, number: int) -> list[bytes]:
    """Return the pairs worth reading for a block even when no pending transaction touches them."""
    return [row[0] for row in store.rows(KNOWN_PAIRS_SQL, {"number": number})]


def doubted_ids(store: Store, number: int, parent_hash: bytes) -> list[bytes]:
    """Return the candidates of a block that the reference has been seen to disprove."""
    asked = {"number": number, "parent": parent_hash.hex(), "reason": PARITY_MISMATCH}
    return [row[0] for row in store.rows(DOUBTED_SQL, asked)]
