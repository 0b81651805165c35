"""What the store has let go, stored again from the log: pruned days, dropped tables, a half-filled copy.

The feeder only goes on from where it was. This looks back: it cuts the log into windows without decoding
anything, asks the store which blocks' windows it still holds whole, and decodes and writes the others, a
span of neighbouring windows at a time. A span's rows go before they come, so doing it again, or once more
after it was killed, leaves the rows of once.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import NamedTuple

from mev_dagster.events.reader import EventLogReader
from mev_dagster.events.types import BlockSeen
from mev_dagster.events.windows import Window, WindowCutter
from mev_dagster.store.client import Store
from mev_dagster.windows.canonical_chain import BLOCKS_REMEMBERED
from mev_dagster.windows.checkpoints import LIVE, checkpoint_rows
from mev_dagster.windows.checkpoints import TABLE as CHECKPOINT_TABLE
from mev_dagster.windows.log_windows import log_identity
from mev_dagster.windows.log_writer import LogWriter, as_columns
from mev_dagster.windows.rivals import settle
from mev_dagster.windows.rows import INGEST_TABLES, RowBuilder, Rows, settled, span_rows

WINDOWS_AT_ONCE = 64
_HELD_SQL = (resources.files("mev_dagster.windows") / "held_windows.sql").read_text()


class _Counts(NamedTuple):
    """How much there is of a block number: several windows where a reorg gave it several blocks."""

    windows: int
    txs: int
    sightings: int
    rejects: int


@dataclass(frozen=True, slots=True)
class _Span:
    """Neighbouring windows, and how far before and behind them heads decide what their rows say."""

    recall_seq: int
    first_seq: int
    last_seq: int
    heard_seq: int
    first_number: int
    last_number: int


def reimport(
    store: Store,
    log: EventLogReader,
    *,
    upto_seq: int,
    again: bool = False,
    windows_at_once: int = WINDOWS_AT_ONCE,
    on_progress: Callable[[int, int], None] = lambda seq, last: None,
) -> dict[str, int]:
    """Store the windows up to an event that the store lacks, or with `again` all; return rows by table."""
    log_id = log_identity(log)
    writer = LogWriter(store, log_id, INGEST_TABLES)
    windows, logged = _windows(log, upto_seq)
    held = {} if again else {row[0]: _Counts(*row[1:]) for row in store.rows(_HELD_SQL, {"log_id": log_id})}
    lacking = [index for index, one in enumerate(windows) if held.get(one.number) != logged[one.number]]
    written = dict.fromkeys(INGEST_TABLES, 0)
    for span in _spans(windows, lacking, windows_at_once):
        rows = _rows_of(log, log_id, span)
        settle(store, rows)
        for table in (*INGEST_TABLES, CHECKPOINT_TABLE):
            writer.forget_span(table, (span.first_number, span.last_number), (span.first_seq, span.last_seq))
        for table in INGEST_TABLES:
            columns = rows.written.columns(table)
            written[table] += (
                writer.write_transactions(columns)
                if table == "transactions"
                else writer.write(table, columns)
            )
        checkpoints = checkpoint_rows(rows.checkpoints, log_id=log_id, run=LIVE)
        writer.write(CHECKPOINT_TABLE, as_columns(checkpoints))
        on_progress(span.last_seq, upto_seq)
    return written


def _windows(log: EventLogReader, upto_seq: int) -> tuple[list[Window], dict[int, _Counts]]:
    """Cut the log; return the windows in its order and what there must be of each block number."""
    cutter, windows, logged = WindowCutter(), [], defaultdict[int, _Counts](lambda: _Counts(0, 0, 0, 0))
    for event in log.read(log.first_seq):
        if event.seq > upto_seq:
            break
        window = cutter.push(event)
        if window is None or window.superseded or not isinstance(event, BlockSeen):
            continue
        windows.append(window)
        so_far = logged[window.number]
        logged[window.number] = _Counts(
            so_far.windows + 1,
            so_far.txs + len(event.tx_hashes),
            so_far.sightings + window.sightings,
            so_far.rejects + window.rejects,
        )
    return windows, logged


def _spans(windows: Sequence[Window], lacking: Sequence[int], at_once: int) -> Iterator[_Span]:
    start = 0
    while start < len(lacking):
        end = start + 1
        while end < len(lacking) and lacking[end] == lacking[end - 1] + 1 and end - start < at_once:
            end += 1
        first, last = lacking[start], lacking[end - 1]
        numbers = [window.number for window in windows[first : last + 1]]
        yield _Span(
            recall_seq=windows[max(first - BLOCKS_REMEMBERED, 0)].first_seq,
            first_seq=windows[first].first_seq,
            last_seq=windows[last].last_seq,
            heard_seq=windows[min(last + BLOCKS_REMEMBERED, len(windows) - 1)].last_seq,
            first_number=min(numbers),
            last_number=max(numbers),
        )
        start = end


def _rows_of(log: EventLogReader, log_id: str, span: _Span) -> Rows:
    """Return the last version of the span's rows."""
    builder = RowBuilder(log_id)
    rows = settled(span_rows(builder, log.batches(span.recall_seq), span.first_seq, span.last_seq))
    for batch in log.batches(span.last_seq + 1):
        heard, unheard = batch.split(span.heard_seq + 1)
        builder.remember(heard)
        if len(unheard):
            break
    return settled(Rows(rows.written, builder.take().revised, rows.checkpoints))
