"""The search of one block, shared by the assets of its run: looked at once, proposed once.

Every write of a run goes through `BlockSearch.replace`, which holds the block's fence.
"""

import os
import time
from collections import OrderedDict
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources as package_files
from typing import Any

import dagster as dg
from opentelemetry.trace import Span

from mev_dagster.blockrun.run_tags import (
    BLOCK_HASH_TAG,
    BLOCK_TAG,
    CAPTURE_TAG,
    COLD,
    COLD_NICENESS,
    HOT,
    LANE_TAG,
    WINDOW_TAG,
    lane_of,
)
from mev_dagster.captures.source import ChainSource, NodeSource
from mev_dagster.chain.blocks import Block
from mev_dagster.chain.receipts import Receipt, receipts_root
from mev_dagster.errors import InputError, Superseded
from mev_dagster.events.reader import EventLogReader
from mev_dagster.events.types import Event
from mev_dagster.evm.recheck import Recheck
from mev_dagster.evm.types import SimulationEngine
from mev_dagster.features.mempool import PENDING_WINDOWS
from mev_dagster.features.tx import TxFeatures, features_of
from mev_dagster.hexadecimal import from_hex, to_hex
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.template import BlockTemplate
from mev_dagster.search.from_log import log_inputs
from mev_dagster.search.inputs import SearchInputs, known_only
from mev_dagster.search.recheck import RecheckedSearch
from mev_dagster.search.run import Prepared, SearchResult, prepare, propose
from mev_dagster.settings import settings
from mev_dagster.store.client import Store
from mev_dagster.telemetry.tracing import JsonLinesExporter, Tracing, trace_id_of
from mev_dagster.units import NS_PER_MS
from mev_dagster.windows.fence import BlockFence, superseded
from mev_dagster.windows.log_windows import WindowSpan, find_window, log_identity
from mev_dagster.windows.rows import Rows, window_rows
from mev_dagster.windows.window_store import ensure_window
from resources.chain import ChainResource
from resources.engine import EngineResource, judge_of
from resources.event_log import EventLogResource
from resources.store import StoreResource

BLOCKS_HELD = 16
"""Blocks of a range run whose state stays in memory between two assets."""

WINDOW_START_SQL = (package_files.files("resources") / "window_start.sql").read_text()
ARRIVAL_SQL = (package_files.files("resources") / "arrival.sql").read_text()
KNOWN_PAIRS_SQL = "SELECT pool FROM pools FINAL ORDER BY pool"


@dataclass
class BlockSearch:
    """Everything a run of block `number` works out, each part when it is first asked for."""

    number: int
    store: Store
    reader: EventLogReader
    source: ChainSource
    engine: SimulationEngine
    judge: Recheck
    run_id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    template: BlockTemplate | None = None
    recheck_ms: float = 0.0

    @cached_property
    def span(self) -> WindowSpan:
        """Where the block's window lies in the log; `Superseded` when the run's tag names another block."""
        tagged = self.tags.get(BLOCK_HASH_TAG)
        expected = from_hex(tagged) if tagged else None
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
    def fence(self) -> BlockFence:
        """What stands before every write of this run."""
        return BlockFence(self.span, self.reader.directory, settings().home / "locks")

    @property
    def live(self) -> bool:
        """Whether this run follows a head."""
        return self.tags.get(LANE_TAG) == HOT

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

    @cached_property
    def window(self) -> Rows:
        """The rows of the block's window, from the log alone."""
        rows = window_rows(self.reader, self.number, span=self.span)
        (window,) = rows.written["ingest_windows"]
        if window["block_hash"] != self.span.block_hash:
            raise superseded(self.number, self.span.block_hash, window["block_hash"])
        return rows

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

    @cached_property
    def inputs(self) -> SearchInputs:
        """What the search starts from."""
        known = [row[0] for row in self.store.rows(KNOWN_PAIRS_SQL)]
        return log_inputs(
            self._events(),
            self.number,
            self.span.block_hash,
            source=self.source,
            engine=self.engine,
            known_pairs=known,
        )

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
    def proposed(self) -> SearchResult:
        """The candidates, executed and ranked by the engine in use."""
        return propose(self.prepared, budget=settings().search_budget)

    @cached_property
    def rechecked(self) -> RecheckedSearch:
        """The same without what the reference engine disproves: what everything later is built on."""
        found = RecheckedSearch(self.proposed, self.judge)
        started_ns = time.perf_counter_ns()
        found.check_sample()
        found.check_best()
        self.recheck_ms = (time.perf_counter_ns() - started_ns) / NS_PER_MS
        return found

    @property
    def result(self) -> SearchResult:
        """The candidates that hold."""
        return self.rechecked.result

    @cached_property
    def keys(self) -> Keyring:
        """The builder's keys: of this process alone beside a node, the public TEST-ONLY ones on a capture.

        So a block of a capture has the same template however often it runs.
        """
        return Keyring.ephemeral() if isinstance(self.source, NodeSource) else Keyring.test_only("replay")

    @cached_property
    def tracing(self) -> Tracing:
        """Spans of this run, appended to the home's trace file."""
        return Tracing("builder", [JsonLinesExporter(settings().home / "traces" / "builder.jsonl")])

    @cached_property
    def root(self) -> Span:
        """The span above everything done for this block; its trace id follows the decision to the relay."""
        with self.tracing.span(
            "block", number=self.number, block_hash=to_hex(self.span.block_hash), run_id=self.run_id
        ) as span:
            return span

    @property
    def trace_id(self) -> bytes:
        """The id of the block's trace."""
        return trace_id_of(self.root)

    @property
    def arrived_ns(self) -> int:
        """When the head reached this machine: as seen on a live node, as stored when a capture is played."""
        if isinstance(self.source, NodeSource):
            return self.inputs.at_ns
        found = self.store.rows(ARRIVAL_SQL, {"number": self.number, "log_id": log_identity(self.reader)})
        return int(found[0][0]) if found else self.inputs.at_ns

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


class BlockSearchResource(dg.ConfigurableResource):
    """Hands every asset of a run the same `BlockSearch`."""

    store: dg.ResourceDependency[StoreResource]
    event_log: dg.ResourceDependency[EventLogResource]
    chain: dg.ResourceDependency[ChainResource]
    engine: dg.ResourceDependency[EngineResource]

    @contextmanager
    def yield_for_execution(
        self, context: dg.InitResourceContext
    ) -> Generator["BlockSearchResource", None, None]:
        """Step back behind the live lane when the run is of the cold one; forget its blocks at the end."""
        run = context.run
        if run is not None and lane_of(run.tags) == COLD:
            os.nice(max(COLD_NICENESS - os.nice(0), 0))
        try:
            yield self
        finally:
            _SEARCHES.clear()

    def of(self, context: dg.AssetExecutionContext, number: int) -> BlockSearch:
        """Return the search of one block of the run."""
        key = (context.run_id, number)
        if key not in _SEARCHES:
            while len(_SEARCHES) >= BLOCKS_HELD:
                _SEARCHES.popitem(last=False)
            block = _SEARCHES[key] = BlockSearch(
                number,
                self.store.client,
                self.event_log.reader(),
                self.chain.source(),
                self.engine.build(),
                judge_of(settings()),
                context.run_id,
                context.run.tags,
            )
            _tag(context, block)
        return _SEARCHES[key]


def _tag(context: dg.AssetExecutionContext, block: BlockSearch) -> None:
    """Tag a run that a person started with what it is about, as sensors tag theirs."""
    keys = context.partition_keys
    if WINDOW_TAG in context.run.tags or str(block.number) != keys[0]:
        return
    capture = settings().capture
    about = {
        BLOCK_TAG: "-".join(dict.fromkeys((keys[0], keys[-1]))),
        **({CAPTURE_TAG: capture.name} if capture else {}),
    }
    if len(keys) == 1:
        about[WINDOW_TAG] = f"{log_identity(block.reader)}:{block.span.last_seq}"
    context.instance.add_run_tags(context.run_id, about)


_SEARCHES: OrderedDict[tuple[str, int], BlockSearch] = OrderedDict()
