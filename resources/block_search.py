"""The search of one block, shared by the assets of its run: looked at once, proposed once."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import resources as package_files

import dagster as dg
from opentelemetry.trace import Span

from mev_dagster.captures.source import ChainSource, NodeSource
from mev_dagster.chain.blocks import Block
from mev_dagster.events.reader import EventLogReader
from mev_dagster.events.types import Event
from mev_dagster.evm.types import SimulationEngine
from mev_dagster.features.mempool import PENDING_WINDOWS
from mev_dagster.features.tx import TxFeatures, features_of
from mev_dagster.ingest.log_windows import WindowSpan, find_window, log_identity
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.template import BlockTemplate
from mev_dagster.search.from_log import log_inputs
from mev_dagster.search.inputs import SearchInputs, known_only
from mev_dagster.search.run import Prepared, SearchResult, prepare, propose
from mev_dagster.settings import settings
from mev_dagster.store.client import Store
from mev_dagster.telemetry.tracing import JsonLinesExporter, Tracing, trace_id_of
from resources.chain import ChainResource
from resources.engine import EngineResource
from resources.event_log import EventLogResource
from resources.store import StoreResource

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
    template: BlockTemplate | None = None

    @cached_property
    def span(self) -> WindowSpan:
        """Where the block's window lies in the log."""
        return find_window(self.reader, self.number)

    @cached_property
    def block(self) -> Block:
        """The block that landed."""
        return self.source.block(self.number)

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
    def result(self) -> SearchResult:
        """The candidates, executed and ranked."""
        return propose(self.prepared, budget=settings().search_budget)

    @cached_property
    def keys(self) -> Keyring:
        """The builder's keys of this run: made here, gone with the process."""
        return Keyring.ephemeral()

    @cached_property
    def tracing(self) -> Tracing:
        """Spans of this run, appended to the home's trace file."""
        return Tracing("builder", [JsonLinesExporter(settings().home / "traces" / "builder.jsonl")])

    @cached_property
    def root(self) -> Span:
        """The span above everything done for this block; its trace id follows the decision to the relay."""
        with self.tracing.span(
            "block", number=self.number, block_hash="0x" + self.span.block_hash.hex()
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

    def of(self, context: dg.AssetExecutionContext) -> BlockSearch:
        """Return the search of the partition's block."""
        number = int(context.partition_key)
        key = (context.run_id, number)
        if key not in _SEARCHES:
            _SEARCHES.clear()  # one run at a time holds one block's state in memory
            _SEARCHES[key] = BlockSearch(
                number, self.store.client, self.event_log.reader(), self.chain.source(), self.engine.build()
            )
        return _SEARCHES[key]


_SEARCHES: dict[tuple[str, int], BlockSearch] = {}
