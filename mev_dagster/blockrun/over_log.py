"""Every block of an event log decided again, in its order: what a replay compares with what is stored."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from mev_dagster.blockrun.decide import Decision, decide
from mev_dagster.blockrun.run import doubted_ids, known_pairs
from mev_dagster.captures.source import ChainSource
from mev_dagster.errors import CaptureError, NodeAnswerError
from mev_dagster.events.reader import EventLogReader
from mev_dagster.events.types import BlockSeen, Event
from mev_dagster.evm.recheck import Recheck
from mev_dagster.evm.types import SimulationEngine
from mev_dagster.features.mempool import PENDING_WINDOWS
from mev_dagster.search.from_log import log_inputs
from mev_dagster.search.run import DEFAULT_BUDGET
from mev_dagster.store.client import Store


@dataclass(frozen=True, slots=True)
class DecidedHead:
    """A head of the log, and the block decided from what the log held before it."""

    head: BlockSeen
    decision: Decision


def decide_log(
    reader: EventLogReader,
    source: ChainSource,
    engine: SimulationEngine,
    judge: Recheck,
    *,
    last_seq: int,
    budget: int = DEFAULT_BUDGET,
    store: Store | None = None,
) -> Iterator[DecidedHead]:
    """Decide every block of the log whose state the source has.

    The store says what else a block's run started from: pairs already known, candidates already doubted.
    """
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
                known_pairs=known_pairs(store, event.number) if store else (),
            )
            doubted = doubted_ids(store, event.number, inputs.env.parent_hash) if store else ()
            yield DecidedHead(event, decide(inputs, engine, judge, budget=budget, doubted=doubted))
        windows.append([])


def _is_canonical(source: ChainSource, head: BlockSeen) -> bool:
    try:
        return source.block(head.number).hash == head.block_hash
    except (CaptureError, NodeAnswerError):
        return False  # the source begins later, ends earlier, or is of another branch
