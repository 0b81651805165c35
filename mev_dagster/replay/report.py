"""A whole replay in one call, and what it found: for the command, the Dagster check and the demo alike."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mev_dagster.blockrun.over_log import decide_log
from mev_dagster.captures.source import ChainSource
from mev_dagster.errors import InputError
from mev_dagster.events.reader import EventLogReader
from mev_dagster.evm.recheck import Recheck
from mev_dagster.evm.types import SimulationEngine
from mev_dagster.replay.against import Comparison, Divergence
from mev_dagster.replay.decisions import DecisionComparison
from mev_dagster.replay.run import Replay
from mev_dagster.replay.stored import StoredLog
from mev_dagster.search.run import DEFAULT_BUDGET
from mev_dagster.windows.bodies import BodyDecoder
from mev_dagster.windows.log_windows import log_identity

if TYPE_CHECKING:
    from mev_dagster.store.client import Store
    from mev_dagster.windows.decode_workers import DecodeWorkers


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay gave; `parity` is None when there was nothing to compare with."""

    events: int
    segments: int
    digest: bytes
    checkpoints: int
    through_seq: int
    parity: float | None
    rows_compared: int
    rows_equal: int
    checkpoints_compared: int
    checkpoints_equal: int
    blocks_decided: int
    decisions_compared: int
    decisions_equal: int
    rank_digest: bytes | None
    first_divergence: Divergence | None
    seconds: float
    times_real_time: float

    @property
    def ok(self) -> bool:
        """Say whether log and store agree."""
        return self.first_divergence is None

    def to_json(self) -> dict[str, Any]:
        """Return the report as one JSON document."""
        return {**asdict(self), "ok": self.ok}


@dataclass(frozen=True, slots=True)
class Deciding:
    """What it takes to decide a log's blocks again: their state; the live path's engine, judge and budget."""

    source: ChainSource
    engine: SimulationEngine
    judge: Recheck
    budget: int = DEFAULT_BUDGET
    on_block: Callable[[int], None] = lambda number: None


def replay_log(
    reader: EventLogReader,
    store: "Store | None" = None,
    *,
    deciding: Deciding | None = None,
    workers: "DecodeWorkers | None" = None,
    on_batch: Callable[[int, int], None] = lambda done, total: None,
) -> ReplayReport:
    """Run the log again and, given a store, compare every row that the store has come to.

    With `deciding`, the blocks are searched again too and compared with what their runs stored. With
    `workers`, bodies are decoded on other cores while rows are compared.
    """
    log_id = log_identity(reader)
    comparison, through = None, reader.last_seq
    if store is not None:
        stored = StoredLog(store, log_id)
        if stored.progress < 0:
            known = ", ".join(stored.other_logs()) or "no log at all"
            raise InputError(f"{reader.directory}: the store holds nothing of log {log_id}; it holds {known}")
        comparison, through = Comparison(stored), min(through, stored.progress)
    run = Replay(reader, log_id=log_id, last_seq=through, bodies=BodyDecoder(workers), on_batch=on_batch)
    for batch in run.batches():
        if comparison is not None:
            comparison.push(batch)
    if comparison is not None:
        comparison.finish(through)
    decisions = _decide(reader, store, deciding, through) if deciding else None
    first = comparison.first_divergence(reader) if comparison else None
    equal = (comparison.equal if comparison else 0) + (decisions.equal if decisions else 0)
    compared = (comparison.compared if comparison else 0) + (decisions.compared if decisions else 0)
    return ReplayReport(
        events=run.events,
        segments=run.segments,
        digest=run.digest,
        checkpoints=run.checkpoints,
        through_seq=through,
        parity=None if store is None else equal / compared if compared else 1.0,
        rows_compared=comparison.rows_compared if comparison else 0,
        rows_equal=comparison.rows_equal if comparison else 0,
        checkpoints_compared=comparison.checkpoints_compared if comparison else 0,
        checkpoints_equal=comparison.checkpoints_equal if comparison else 0,
        blocks_decided=decisions.blocks if decisions else 0,
        decisions_compared=decisions.compared if decisions else 0,
        decisions_equal=decisions.equal if decisions else 0,
        rank_digest=decisions.rank_digest if decisions else None,
        first_divergence=first or (decisions.first if decisions else None),
        seconds=round(run.seconds, 3),
        times_real_time=round(run.times_real_time, 1),
    )


def _decide(
    reader: EventLogReader, store: "Store | None", deciding: Deciding, last_seq: int
) -> DecisionComparison:
    comparison = DecisionComparison(store)
    for decided in decide_log(
        reader,
        deciding.source,
        deciding.engine,
        deciding.judge,
        budget=deciding.budget,
        last_seq=last_seq,
        store=store,
    ):
        comparison.push(decided)
        deciding.on_block(decided.head.number)
    return comparison
