"""The second half of a replay: features, executions and ranking of each block, made again from the log.

What was pending is a function of the log; the state before a block comes from a capture or an archive
node. The rows are compared with those the block's run stored, the ranking by its digest.
"""

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mev_dagster.captures.source import ChainSource
from mev_dagster.errors import CaptureError, NodeAnswerError
from mev_dagster.events.reader import EventLogReader
from mev_dagster.events.types import BlockSeen, Event
from mev_dagster.evm.types import SimulationEngine
from mev_dagster.features.mempool import PENDING_WINDOWS
from mev_dagster.features.rows import tx_feature_columns
from mev_dagster.replay.against import Divergence
from mev_dagster.replay.stored import StoredBlock
from mev_dagster.search.from_log import log_inputs
from mev_dagster.search.rows import opportunity_columns, simulation_columns
from mev_dagster.search.run import SearchResult, search_block
from mev_dagster.store.tables import TABLES
from mev_dagster.units import NS_PER_SECOND

if TYPE_CHECKING:
    from mev_dagster.store.client import Store

TABLES_OF_A_RUN = ("tx_features", "simulations", "opportunities")

Columns = dict[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Decided:
    """A block searched again. `seq` is its head's event."""

    seq: int
    head: BlockSeen
    result: SearchResult

    def columns(self, table: str) -> Columns:
        """Return what the block's run stores in a table."""
        if table == "simulations":
            return dict(simulation_columns(self.result))
        if table == "opportunities":
            return dict(opportunity_columns(self.result))
        env = self.result.env
        return dict(tx_feature_columns(env.number, env.timestamp * NS_PER_SECOND, self.result.features))


def decide_again(
    reader: EventLogReader,
    source: ChainSource,
    engine: SimulationEngine,
    *,
    budget: int,
    last_seq: int,
    known_pairs: Sequence[bytes] = (),
) -> Iterator[Decided]:
    """Search every block of the log whose state the source has, in the log's order."""
    windows: deque[list[Event]] = deque([[]], maxlen=PENDING_WINDOWS)
    for event in reader.read(reader.first_seq):
        if event.seq > last_seq:
            return
        windows[-1].append(event)
        if not isinstance(event, BlockSeen):
            continue
        if _is_canonical(source, event):
            inputs = log_inputs(
                (held for window in windows for held in window),
                event.number,
                event.block_hash,
                source=source,
                engine=engine,
                known_pairs=known_pairs,
            )
            yield Decided(event.seq, event, search_block(inputs, engine, budget=budget))
        windows.append([])


def _is_canonical(source: ChainSource, head: BlockSeen) -> bool:
    try:
        return source.block(head.number).hash == head.block_hash
    except (CaptureError, NodeAnswerError):
        return False  # the source begins later, ends earlier, or is of another branch


class DecisionComparison:
    """Compares blocks decided again with what their runs stored; without a store it only digests them."""

    def __init__(self, store: "Store | None") -> None:
        self.blocks = self.compared = self.equal = 0
        self.first: Divergence | None = None
        self._store = store
        self._digest = hashlib.sha256()

    @property
    def rank_digest(self) -> bytes:
        """One digest over the rank digests of all blocks."""
        return self._digest.digest()

    def push(self, decided: Decided) -> None:
        """Compare one block; a block that no run has searched is only digested."""
        self.blocks += 1
        self._digest.update(decided.head.block_hash + decided.result.rank_digest)
        if self._store is None:
            return
        stored = StoredBlock(self._store, decided.head.number, decided.head.block_hash)
        rank_digest = stored.rank_digest()
        if rank_digest is None:
            return
        for table in TABLES_OF_A_RUN:
            self._compare_rows(decided, table, stored)
        self.compared += 1
        self.equal += self._check(
            decided,
            "block_runs",
            "rank_digest",
            decided.result.rank_digest,
            rank_digest,
        )

    def _compare_rows(self, decided: Decided, table: str, stored: StoredBlock) -> None:
        columns = decided.columns(table)
        key = [name for name in TABLES[table].key if name in columns]
        names = list(columns)
        made = {
            tuple(row[names.index(name)] for name in key): row for row in zip(*columns.values(), strict=True)
        }
        found = {tuple(row[names.index(name)] for name in key): row for row in stored.rows(table, names, key)}
        for identity in sorted(made.keys() | found.keys()):
            self.compared += 1
            mine, theirs = made.get(identity), found.get(identity)
            if mine is None or theirs is None:
                self._check(decided, table, "", mine, theirs)
                continue
            differing = next((n for n, a, b in zip(names, mine, theirs, strict=True) if a != b), None)
            if differing is None:
                self.equal += 1
            else:
                at = names.index(differing)
                self._check(decided, table, differing, mine[at], theirs[at])

    def _check(self, decided: Decided, table: str, column: str, mine: Any, theirs: Any) -> bool:
        if mine != theirs and self.first is None:
            why = f"block {decided.head.number} decided again comes out differently"
            self.first = Divergence(decided.seq, table, column, mine, theirs, why)
        return bool(mine == theirs)
