"""Logged events to the store's columns: a pure function, the same for live, capture, replay and assets.

    rows = process(events, log_id=...)             # everything in these events
    rows = window_rows(EventLogReader(dir), 17)    # what window 17 holds
    store.insert("blocks", rows.columns("blocks"))

A row carries the sequence number of the event it was made from. Rows are ready at once, so a few must be
corrected by later events; those corrections are `revised`:
- a reorg makes a block no longer canonical and supersedes its window;
- a head with another number than expected (the first one, a reorg, a gap) renumbers the open window.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mev_dagster.chain.blocks import Header, decode_header
from mev_dagster.chain.transactions import Transaction, decode_transaction
from mev_dagster.events.reader import EventLogReader
from mev_dagster.events.types import BlockReverted, BlockSeen, Event, TxBody, TxRejected, TxSeen
from mev_dagster.events.windows import Window, WindowCutter
from mev_dagster.ingest.chain import BLOCKS_REMEMBERED
from mev_dagster.ingest.checkpoints import Checkpoint, EventDigest, row_digest
from mev_dagster.ingest.log_windows import find_window, log_identity
from mev_dagster.ingest.memory import DecodedTransactions, Recent
from mev_dagster.ingest.metrics import lane_name
from mev_dagster.store.log_writer import as_columns

Row = dict[str, Any]

# Rows of what came in while a window was open; they carry its number.
WINDOW_TABLES = ("tx_sightings", "transactions", "tx_rejects")
# In the order they are written: whoever sees a block or its window in the store finds the rest there too.
INGEST_TABLES = (*WINDOW_TABLES, "block_txs", "blocks", "ingest_windows")
NS_PER_SECOND = 1_000_000_000


@dataclass(slots=True)
class Rows:
    """Rows by table: `written` for the first time, `revised` to replace one with the same key or event.

    `checkpoints` are those of the windows that closed meanwhile.
    """

    written: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    revised: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    checkpoints: list[Checkpoint] = field(default_factory=list)

    def columns(self, table: str) -> dict[str, list[Any]]:
        """Return the rows written to a table as columns."""
        return as_columns(self.written.get(table, []))

    @property
    def count(self) -> int:
        """Number of rows in all tables."""
        return sum(len(rows) for part in (self.written, self.revised) for rows in part.values())


class RowBuilder:
    """Folds events, one at a time and in log order, into rows."""

    def __init__(self, log_id: str, decoded: DecodedTransactions | None = None) -> None:
        self._log_id = log_id
        self._decoded = decoded or DecodedTransactions()
        self._cutter = WindowCutter()
        self._events = EventDigest()  # of the open window
        self._blocks: Recent[bytes, Row] = Recent(BLOCKS_REMEMBERED)
        self._expected_number = 0  # of the head that will close the open window
        self._open: list[tuple[str, Row]] = []  # rows of the open window
        self._last_seq = self._taken_seq = -1
        self._head_returns = False  # the newest head lost to a rival once and has come back
        self._rows = Rows()

    def push(self, event: Event) -> None:
        """Take the next event."""
        self._events.push(event)
        if isinstance(event, TxSeen):
            self._add_to_window("tx_sightings", self._sighting(event))
        elif isinstance(event, TxBody):
            self._add_to_window("transactions", self._transaction(event))
        elif isinstance(event, TxRejected):
            self._add_to_window("tx_rejects", self._reject(event))
        self.remember(event)

    def remember(self, event: Event) -> None:
        """Take an event of a window that is stored already: only heads and window bounds count."""
        if isinstance(event, BlockSeen):
            self._block(event)
        elif isinstance(event, BlockReverted):
            self._revert(event)
        self._last_seq = event.seq
        window = self._cutter.push(event)
        if window is not None:
            self._window(window)

    @property
    def open_digest(self) -> bytes:
        """Digest of the events of the open window so far."""
        return self._events.so_far

    def take(self) -> Rows:
        """Return the rows since the last call."""
        rows, self._rows = self._rows, Rows()
        self._taken_seq = self._last_seq
        return rows

    def _add_to_window(self, table: str, row: Row) -> None:
        self._rows.written[table].append(row)
        self._open.append((table, row))

    def _origin(self, event: Event) -> Row:
        return {"seq": event.seq, "log_id": self._log_id}

    def _sighting(self, event: TxSeen) -> Row:
        return {
            "window_number": self._expected_number,
            "seen_at": event.wall_ns,
            "mono_ns": event.mono_ns,
            "tx_hash": event.tx_hash,
            "lane": lane_name(event.lane),
            "source": event.source,
            "peer": event.peer,
            "announced_type": event.announced_type,
            "announced_size": event.announced_size,
            "synthetic": event.synthetic,
            **self._origin(event),
        }

    def _transaction(self, event: TxBody) -> Row:
        transaction = self._decoded.find(event.tx_hash, event.raw)
        if transaction is None:
            # What the log holds has been accepted; blocks before Homestead may hold a high s.
            transaction = decode_transaction(event.raw, allow_high_s=True)
        return {
            "window_number": self._expected_number,
            "first_seen_at": event.wall_ns,
            **transaction_fields(transaction),
            "lane": lane_name(event.lane),
            "source": event.source,
            "synthetic": event.synthetic,
            **self._origin(event),
        }

    def _reject(self, event: TxRejected) -> Row:
        return {
            "window_number": self._expected_number,
            "seen_at": event.wall_ns,
            "digest": event.digest,
            "lane": lane_name(event.lane),
            "source": event.source,
            "reason": event.reason,
            "detail": event.detail,
            "raw": event.raw,
            **self._origin(event),
        }

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
            **self._origin(event),
        }
        self._head_returns = event.block_hash in self._blocks
        if self._head_returns:
            self._rows.revised["blocks"].append(row)
        else:
            self._rows.written["blocks"].append(row)
            self._rows.written["block_txs"].extend(
                {
                    "block_number": event.number,
                    "block_hash": event.block_hash,
                    "block_time": block_time,
                    "tx_index": index,
                    "tx_hash": tx_hash,
                    **self._origin(event),
                }
                for index, tx_hash in enumerate(event.tx_hashes)
            )
        self._blocks[event.block_hash] = row
        self._expected_number = event.number + 1

    def _revert(self, event: BlockReverted) -> None:
        self._expected_number = event.number
        row = self._blocks.get(event.block_hash)
        if row is not None:
            self._rows.revised["blocks"].append({**row, "canonical": False})

    def _renumber_open_rows(self, number: int) -> None:
        for index, (table, row) in enumerate(self._open):
            if row["window_number"] == number:
                continue
            if row["seq"] > self._taken_seq:
                row["window_number"] = number
            else:
                corrected = {**row, "window_number": number}
                self._open[index] = (table, corrected)
                self._rows.revised[table].append(corrected)

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
        (self._rows.revised if revises else self._rows.written)["ingest_windows"].append(row)
        if not window.superseded:
            self._checkpoint(window, [*self._open, ("blocks", block), ("ingest_windows", row)])

    def _checkpoint(self, window: Window, rows: list[tuple[str, Row]]) -> None:
        self._rows.checkpoints.append(
            Checkpoint(
                window.number, window.last_seq, window.closed_ns, self._events.close(), row_digest(rows)
            )
        )
        self._open.clear()


def transaction_fields(transaction: Transaction) -> Row:
    """Return what a transaction says of itself, as columns of `transactions`."""
    authorizations = transaction.authorization_list
    return {
        "tx_hash": transaction.hash,
        "tx_type": transaction.type,
        "chain_id": transaction.chain_id,
        "nonce": transaction.nonce,
        "sender": transaction.sender,
        "to": transaction.to,
        "value_wei": transaction.value_wei,
        "gas_limit": transaction.gas_limit,
        "gas_price_wei": transaction.gas_price_wei,
        "max_fee_per_gas_wei": transaction.max_fee_per_gas_wei,
        "max_priority_fee_per_gas_wei": transaction.max_priority_fee_per_gas_wei,
        "max_fee_per_blob_gas_wei": transaction.max_fee_per_blob_gas_wei,
        "access_list_addresses": [entry.address for entry in transaction.access_list],
        "access_list_storage_keys": [list(entry.storage_keys) for entry in transaction.access_list],
        "blob_versioned_hashes": list(transaction.blob_versioned_hashes),
        "authorization_chain_ids": [item.chain_id for item in authorizations],
        "authorization_addresses": [item.address for item in authorizations],
        "authorization_nonces": [item.nonce for item in authorizations],
        "authorization_y_parities": [item.y_parity for item in authorizations],
        "authorization_r": [item.r for item in authorizations],
        "authorization_s": [item.s for item in authorizations],
        "authorization_authorities": [item.authority for item in authorizations],
        "input": transaction.data,
        "input_len": transaction.input_len,
        "selector": transaction.selector,
        "v": transaction.v,
        "r": transaction.r,
        "s": transaction.s,
        "raw_len": transaction.raw_len,
    }


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


def process(events: Iterable[Event], *, log_id: str = "") -> Rows:
    """Return the rows of these events: one a block and a window, its last version."""
    builder = RowBuilder(log_id)
    for event in events:
        builder.push(event)
    return settled(builder.take())


def window_rows(reader: EventLogReader, number: int, *, log_id: str | None = None) -> Rows:
    """Return the rows of the canonical window that leads to block `number`, from the log alone."""
    span = find_window(reader, number)
    builder = RowBuilder(log_identity(reader) if log_id is None else log_id)
    start = span.first_seq if span.previous_head_seq < 0 else span.previous_head_seq
    for event in reader.read(start):
        if event.seq > span.last_seq:
            break
        if event.seq < span.first_seq:
            builder.remember(event)
            builder.take()
        else:
            builder.push(event)
    rows = builder.take()
    rows.revised.clear()  # of windows before this one
    return rows


def settled(rows: Rows) -> Rows:
    """Return rows with each block's and window's last version; only what was written before stays revised."""
    result = Rows(defaultdict(list, rows.written), defaultdict(list, rows.revised), rows.checkpoints)
    for table in ("blocks", "ingest_windows"):
        written = {_key(row): row for row in rows.written.get(table, ())}
        revised: dict[tuple[int, bytes], Row] = {}
        for row in rows.revised.get(table, ()):
            (written if _key(row) in written else revised)[_key(row)] = row
        result.written[table], result.revised[table] = list(written.values()), list(revised.values())
    return result


def _key(row: Row) -> tuple[int, bytes]:
    return row["block_number"], row["block_hash"]
