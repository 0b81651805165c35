"""Logged events to the store's rows: a pure function, the same for live, capture, replay and assets.

    rows = process(events, log_id=...)             # everything in these events
    rows = window_rows(EventLogReader(dir), 17)    # what window 17 holds
    store.insert("blocks", rows.columns("blocks"))

A row carries the sequence number of the event it was made from. Rows are ready at once, so a few must be
corrected by later events; those corrections are `revised`:
- a reorg makes a block no longer canonical and supersedes its window;
- a head with another number than expected (the first one, a reorg, a gap) renumbers the open window.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from cachetools import FIFOCache

from mev_dagster.chain.blocks import Header, decode_header
from mev_dagster.events.batch import RawBatch, gather
from mev_dagster.events.encoding import encode
from mev_dagster.events.reader import EventLogReader
from mev_dagster.events.record import SYNTHETIC
from mev_dagster.events.types import BlockReverted, BlockSeen, Event, EventKind, lane_name
from mev_dagster.events.windows import Run, Window, WindowCutter
from mev_dagster.units import NS_PER_SECOND
from mev_dagster.windows.bodies import BodyDecoder
from mev_dagster.windows.canonical_chain import BLOCKS_REMEMBERED
from mev_dagster.windows.checkpoints import Checkpoint, EventDigest, row_digest
from mev_dagster.windows.log_windows import WindowSpan, find_window, log_identity
from mev_dagster.windows.open_rows import OpenRows
from mev_dagster.windows.row_parts import Piece, Row, RowPart, Rows
from mev_dagster.windows.window_columns import (
    KINDS,
    block_tx_columns,
    reject_columns,
    sighting_columns,
    transaction_rows,
)

__all__ = [
    "INGEST_TABLES",
    "WINDOW_TABLES",
    "Row",
    "RowBuilder",
    "RowPart",
    "Rows",
    "batch_of",
    "header_fields",
    "process",
    "settled",
    "span_rows",
    "window_rows",
]

# Rows of what came in while a window was open; they carry its number.
WINDOW_TABLES = ("tx_sightings", "transactions", "tx_rejects")
# In the order they are written: whoever sees a block or its window in the store finds the rest there too.
INGEST_TABLES = (*WINDOW_TABLES, "block_txs", "blocks", "ingest_windows")

# What is looked at one by one; all other events only make rows and count.
_TURNING_POINTS = (EventKind.BLOCK_SEEN, EventKind.BLOCK_REVERTED, EventKind.LANE_STATUS)


class _Cells(NamedTuple):
    """The rows that a batch gives a table, and the places in the batch of the events they are of."""

    rows: pa.RecordBatch
    places: npt.NDArray[np.intp]

    def between(self, start: int, end: int) -> pa.RecordBatch:
        """Return the rows of the events from place `start` up to `end`."""
        first, last = np.searchsorted(self.places, (start, end)).tolist()
        return self.rows.slice(first, last - first)


@dataclass(slots=True)
class _OpenPiece:
    """Rows of the open window; `taken` once somebody was given them."""

    table: str
    piece: Piece
    taken: bool = False


class RowBuilder:
    """Folds events, in log order, into rows."""

    def __init__(self, log_id: str) -> None:
        self._log_id = log_id
        self._cutter = WindowCutter()
        self._events = EventDigest()  # of the open window
        self._blocks: FIFOCache[bytes, Row] = FIFOCache(BLOCKS_REMEMBERED)
        self._expected_number = 0  # of the head that will close the open window
        self._open: list[_OpenPiece] = []
        self._held = OpenRows()
        self._head_returns = False  # the newest head lost to a rival once and has come back
        self._rows = self._no_rows()

    def push(self, batch: RawBatch, transactions: pa.RecordBatch) -> None:
        """Take the next events; `transactions` is what their bodies decode to."""
        self._fold(batch, _cells(batch, transactions))

    def remember(self, batch: RawBatch) -> None:
        """Take events of windows that are stored already: only heads and window bounds count."""
        self._fold(batch, {})

    @property
    def open_digest(self) -> bytes:
        """Digest of the events of the open window so far."""
        return self._events.so_far

    def take(self) -> Rows:
        """Return the rows since the last call."""
        rows, self._rows = self._rows, self._no_rows()
        for part in self._open:
            if not part.taken:
                part.taken = True
                part.piece = Piece(self._held.hold(part.piece.rows), part.piece.number)
        return rows

    def _no_rows(self) -> Rows:
        return Rows(RowPart(self._log_id), RowPart(self._log_id))

    def _fold(self, batch: RawBatch, cells: Mapping[str, _Cells]) -> None:
        """Go from one turning point to the next."""
        turning = np.flatnonzero(np.isin(batch.headers["kind"], _TURNING_POINTS))
        start = 0
        for place, event in zip(turning.tolist(), batch.select_places(turning).events(), strict=True):
            self._run(batch, cells, start, place)
            self._events.push(batch.piece(place, place + 1))
            self._turn(event)
            start = place + 1
        self._run(batch, cells, start, len(batch))

    def _run(self, batch: RawBatch, cells: Mapping[str, _Cells], start: int, end: int) -> None:
        """Take events that neither close a window nor undo one."""
        if start == end:
            return
        events = batch.piece(start, end)
        self._events.push(events)
        self._cutter.pass_over(_run_of(events))
        for table, found in cells.items():
            rows = found.between(start, end)
            if rows.num_rows:
                piece = Piece(rows, self._expected_number)
                self._rows.written.add(table, piece)
                self._open.append(_OpenPiece(table, piece))

    def _turn(self, event: Event) -> None:
        if isinstance(event, BlockSeen):
            self._block(event)
        elif isinstance(event, BlockReverted):
            self._revert(event)
        window = self._cutter.push(event)
        if window is not None:
            self._window(window)

    def _block(self, event: BlockSeen) -> None:
        header = decode_header(event.header_rlp)
        block_time = header.timestamp * NS_PER_SECOND
        row = {
            "block_number": event.number,
            "block_hash": event.block_hash,
            "block_time": block_time,
            **header_fields(header),
            "tx_count": len(event.tx_hashes),
            "canonical": True,
            "seen_at": event.wall_ns,
            "lane": lane_name(event.lane),
            "source": event.source,
            "seq": event.seq,
            "log_id": self._log_id,
        }
        self._head_returns = event.block_hash in self._blocks
        if self._head_returns:
            self._rows.revised.append("blocks", row)
        else:
            self._rows.written.append("blocks", row)
            if event.tx_hashes:
                self._rows.written.add("block_txs", Piece(block_tx_columns(event, block_time), None))
        self._blocks[event.block_hash] = row
        self._expected_number = event.number + 1

    def _revert(self, event: BlockReverted) -> None:
        self._expected_number = event.number
        row = self._blocks.get(event.block_hash)
        if row is not None:
            self._rows.revised.append("blocks", {**row, "canonical": False})

    def _renumber_open_rows(self, number: int) -> None:
        for part in self._open:
            if part.piece.number == number:
                continue
            if part.taken:
                part.piece = Piece(part.piece.rows, number)
                self._rows.revised.add(part.table, part.piece)
            else:
                part.piece.number = number

    def _window(self, window: Window) -> None:
        if not window.superseded:
            self._renumber_open_rows(window.number)
        revises = window.superseded or self._head_returns
        block = self._blocks.get(window.block_hash)
        assert block is not None, "the head that closes a window is pushed before it"
        row = {
            "block_number": window.number,
            "block_hash": window.block_hash,
            "block_time": block["block_time"],
            "first_seq": window.first_seq,
            "last_seq": window.last_seq,
            "opened_at": window.opened_ns,
            "closed_at": window.closed_ns,
            "sightings": window.sightings,
            "bodies": window.bodies,
            "rejects": window.rejects,
            "gaps": window.gaps,
            "synthetic": window.synthetic,
            "superseded": window.superseded,
            "seq": window.last_seq,
            "log_id": self._log_id,
        }
        (self._rows.revised if revises else self._rows.written).append("ingest_windows", row)
        if not window.superseded:
            self._checkpoint(window, [("blocks", block), ("ingest_windows", row)])

    def _checkpoint(self, window: Window, heads: list[tuple[str, Row]]) -> None:
        tables: dict[str, list[pa.RecordBatch]] = {}
        for part in self._open:
            tables.setdefault(part.table, []).append(part.piece.rows)
        digest = row_digest(tables, heads)
        self._rows.checkpoints.append(
            Checkpoint(window.number, window.last_seq, window.closed_ns, self._events.close(), digest)
        )
        self._open.clear()
        self._held.let_go()


def _cells(batch: RawBatch, transactions: pa.RecordBatch) -> dict[str, _Cells]:
    """Return what a batch gives each of the tables that windows number."""
    kinds, found = batch.headers["kind"], {}
    for table, kind in KINDS.items():
        places = np.flatnonzero(kinds == kind)
        if not len(places):
            continue
        events = batch.select_places(places)
        if table == "tx_sightings":
            rows = sighting_columns(events)
        elif table == "transactions":
            rows = transaction_rows(events, transactions)
        else:
            rows = reject_columns(events)
        found[table] = _Cells(rows, places)
    return found


def _run_of(events: RawBatch) -> Run:
    headers = events.headers
    kinds = np.bincount(headers["kind"], minlength=max(EventKind) + 1)
    carries = np.isin(headers["kind"], (EventKind.TX_SEEN, EventKind.TX_BODY))
    return Run(
        first_seq=int(headers["seq"][0]),
        opened_ns=int(headers["wall_ns"][0]),
        sightings=int(kinds[EventKind.TX_SEEN]),
        bodies=int(kinds[EventKind.TX_BODY]),
        rejects=int(kinds[EventKind.TX_REJECTED]),
        synthetic=bool((carries & (headers["flags"] & SYNTHETIC != 0)).any()),
    )


def header_fields(header: Header) -> Row:
    """Return what a header says beyond number, hash and time, as columns of `blocks`."""
    return {
        "parent_hash": header.parent_hash,
        "uncles_hash": header.uncles_hash,
        "coinbase": header.coinbase,
        "state_root": header.state_root,
        "transactions_root": header.transactions_root,
        "receipts_root": header.receipts_root,
        "logs_bloom": header.logs_bloom,
        "difficulty": header.difficulty,
        "gas_limit": header.gas_limit,
        "gas_used": header.gas_used,
        "extra_data": header.extra_data,
        "mix_hash": header.mix_hash,
        "header_nonce": header.nonce,
        "base_fee_per_gas_wei": header.base_fee_per_gas_wei,
        "withdrawals_root": header.withdrawals_root,
        "blob_gas_used": header.blob_gas_used,
        "excess_blob_gas": header.excess_blob_gas,
        "parent_beacon_block_root": header.parent_beacon_block_root,
        "requests_hash": header.requests_hash,
    }


def batch_of(events: Iterable[Event]) -> RawBatch:
    """Return events as the records that a log would hold of them."""
    records = [encode(event, event.seq) for event in events]
    offsets = [0, *accumulate(map(len, records))][:-1] if records else []
    return gather(b"".join(records), np.array(offsets, np.int64))


def process(events: Iterable[Event], *, log_id: str = "") -> Rows:
    """Return the rows of these events: one a block and a window, its last version."""
    builder, batch = RowBuilder(log_id), batch_of(events)
    builder.push(batch, BodyDecoder().begin(batch)())
    return settled(builder.take())


def window_rows(
    reader: EventLogReader, number: int, *, log_id: str | None = None, span: WindowSpan | None = None
) -> Rows:
    """Return the rows of the canonical window that leads to block `number`, from the log alone.

    Whoever has found its `span` already hands it in.
    """
    span = find_window(reader, number) if span is None else span
    builder = RowBuilder(log_identity(reader) if log_id is None else log_id)
    start = span.first_seq if span.previous_head_seq < 0 else span.previous_head_seq
    rows = span_rows(builder, reader.batches(start), span.first_seq, span.last_seq)
    return Rows(rows.written, RowPart(), rows.checkpoints)  # what is revised is of windows before this one


def span_rows(builder: RowBuilder, batches: Iterable[RawBatch], first_seq: int, last_seq: int) -> Rows:
    """Return the rows of the events from `first_seq` to `last_seq`; of those before only heads count."""
    bodies = BodyDecoder()
    for batch in batches:
        before, rest = batch.split(first_seq)
        if len(before):
            builder.remember(before)
            builder.take()
        within, behind = rest.split(last_seq + 1)
        builder.push(within, bodies.begin(within)())
        if len(behind):
            break
    return builder.take()


def settled(rows: Rows) -> Rows:
    """Return rows with each block's and window's last version; only what was written before stays revised."""
    for table in ("blocks", "ingest_windows"):
        written = {_key(row): row for row in rows.written[table]}
        revised: dict[tuple[int, bytes], Row] = {}
        for row in rows.revised[table]:
            (written if _key(row) in written else revised)[_key(row)] = row
        rows.written.put(table, list(written.values()))
        rows.revised.put(table, list(revised.values()))
    return rows


def _key(row: Row) -> tuple[int, bytes]:
    return row["block_number"], row["block_hash"]
