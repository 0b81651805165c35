"""Files of Flashbots' mempool-dumpster: what several vantage points observed on mainnet, millisecond times.

    transactions   CSV (.csv, .csv.zip) or Parquet; Parquet also holds the raw transactions
    sourcelog      CSV `timestamp_ms,hash,source`: every sighting by every source

Several files are merged by time, row by row. A raw transaction is decoded and has to agree with the row it
came in; one that does not is kept as `TxRejected` and counted by reason. Column list: fixtures/README.
"""

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow
import pyarrow.parquet

from mev_dagster.captures.importers.session import (
    ImportReport,
    ImportSession,
    OnProgress,
    no_progress,
)
from mev_dagster.captures.manifest import ArrivalTimes
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.networks import MAINNET
from mev_dagster.chain.transactions import Transaction, decode_network_transaction
from mev_dagster.errors import DecodeError, InputError
from mev_dagster.events.types import Lane, TxBody, TxRejected, TxSeen
from mev_dagster.hexadecimal import from_hex, to_hex
from mev_dagster.units import NS_PER_MS

CHECKPOINT_ROWS = 50_000
SOURCE = "mempool-dumpster"
REJECTED_RAW_KEPT = 4096

_LATEST_MS = 2**63 // NS_PER_MS - 1
_PARQUET_ROWS = 4096
_SOURCELOG = {"timestamp_ms", "hash", "source"}
_TRANSACTIONS = {"timestamp_ms", "hash", "chain_id", "from", "sources"}
_TRASH = {"timestamp_ms", "hash", "source", "reason"}
# Parquet column -> the name CSV has for it
_PARQUET_COLUMNS = {
    "timestamp": "timestamp_ms",
    "hash": "hash",
    "chainId": "chain_id",
    "txType": "tx_type",
    "from": "from",
    "sources": "sources",
    "rawTx": "raw",
}
_SINCE_2024_03 = {"txType"}  # not in files from before


@dataclass(frozen=True, slots=True)
class Sighting:
    """One row that says when a transaction was seen; `raw` where the file holds it."""

    timestamp_ms: int
    tx_hash: bytes
    source: str
    sources: str = ""
    tx_type: int | None = None
    chain_id: int | None = None
    sender: bytes | None = None
    raw: bytes | None = None


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read; it stands where the row before it stood in time."""

    timestamp_ms: int
    reason: str


Row: TypeAlias = Sighting | BadRow


def import_mempool_dumpster(
    paths: Sequence[Path | str],
    out: Path | str,
    *,
    chain_id: int | None = None,
    on_progress: OnProgress = no_progress,
) -> ImportReport:
    """Make a capture, of events alone, from any mix of transaction files and sourcelogs.

    The chain is that of the first row which says one, where `chain_id` does not.
    """
    files = sorted(Path(path) for path in paths)
    chain_id = chain_id or _chain_of(files)
    with ImportSession(
        out,
        SOURCE,
        files,
        chain_id=chain_id,
        arrival_times=ArrivalTimes.OBSERVED,
        checkpoint_every=CHECKPOINT_ROWS,
        total=_row_count(files),
        on_progress=on_progress,
    ) as session:
        rows = merge(*(read_rows(path) for path in files), key=lambda row: row.timestamp_ms)
        for position, row in enumerate(rows):
            if position < session.start:
                continue
            if isinstance(row, BadRow):
                session.reject(row.reason)
            else:
                _take(session, row, chain_id)
            session.step()
    return session.report


def _chain_of(files: Sequence[Path]) -> int:
    for path in files:
        for row in read_rows(path):
            if isinstance(row, Sighting):
                if row.chain_id is not None:
                    return row.chain_id
                break  # a sourcelog's rows never say it
    return MAINNET.chain_id


def _take(session: ImportSession, row: Sighting, chain_id: int) -> None:
    if row.chain_id not in (None, chain_id):
        session.reject("other_chain")
        return
    wall_ns = row.timestamp_ms * NS_PER_MS
    if row.raw is not None:
        try:
            transaction = _checked(row)
        except DecodeError as error:
            session.reject(error.reason)
            kept = row.raw[:REJECTED_RAW_KEPT]
            session.add_event(
                TxRejected(
                    -1,
                    wall_ns,
                    wall_ns,
                    Lane.CAPTURE,
                    row.source,
                    keccak(row.raw),
                    error.reason,
                    error.detail,
                    kept,
                )
            )
            return
    size = len(row.raw) if row.raw is not None else None
    session.add_event(
        TxSeen(-1, wall_ns, wall_ns, Lane.CAPTURE, row.source, row.tx_hash, row.sources, row.tx_type, size)
    )
    if row.raw is not None:
        session.report.transactions += 1
        session.add_event(
            TxBody(-1, wall_ns, wall_ns, Lane.CAPTURE, row.source, row.tx_hash, transaction.raw)
        )


def _checked(row: Sighting) -> Transaction:
    """Return a row's transaction, without blob sidecars; `DecodeError` when it is not the row's."""
    assert row.raw is not None
    transaction, _ = decode_network_transaction(row.raw)
    if transaction.hash != row.tx_hash:
        raise DecodeError("hash_mismatch", f"the row says {to_hex(row.tx_hash)}")
    if row.sender is not None and transaction.sender != row.sender:
        raise DecodeError("sender_mismatch", f"the row says {to_hex(row.sender)}")
    if transaction.chain_id not in (None, row.chain_id):
        raise DecodeError("other_chain", f"signed for chain {transaction.chain_id}")
    return transaction


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of one file in its own order."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    raw_rows = _parquet_rows(path) if path.name.endswith(".parquet") else _csv_rows(path)
    last_ms = 0
    for fields in raw_rows:
        try:
            row = _row(fields)
        except (KeyError, TypeError, ValueError, AttributeError):
            yield BadRow(last_ms, "bad_row")
        else:
            last_ms = row.timestamp_ms
            yield row


def _row(fields: Mapping[str, Any]) -> Sighting:
    timestamp_ms = int(fields["timestamp_ms"])
    tx_hash = from_hex(fields["hash"])
    if len(tx_hash) != 32 or not 0 < timestamp_ms <= _LATEST_MS:
        raise ValueError
    if "source" in fields:
        return Sighting(timestamp_ms, tx_hash, _name(fields["source"]))
    sender = from_hex(fields["from"])
    raw = fields.get("raw")
    if len(sender) != 20 or not (raw is None or isinstance(raw, bytes)):
        raise ValueError
    tx_type = _tx_type(fields.get("tx_type"), raw)
    sources = fields["sources"]
    return Sighting(
        timestamp_ms,
        tx_hash,
        SOURCE,
        sources=sources if isinstance(sources, str) else " ".join(sources or ()),
        tx_type=tx_type,
        chain_id=int(fields["chain_id"]),
        sender=sender,
        raw=raw,
    )


def _tx_type(stated: Any, raw: bytes | None) -> int | None:
    """Return a transaction's type; in files that have no column for it, as its first byte says (EIP-2718)."""
    if stated is None:
        return None if not raw else raw[0] if raw[0] < 0x80 else 0
    tx_type = int(stated)
    if not 0 <= tx_type <= 255:
        raise ValueError
    return tx_type


def _name(source: str) -> str:
    name = source.strip()
    if not 0 < len(name.encode()) <= 255:
        raise ValueError
    return name


def _csv_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    with _open_text(path) as text:
        lines = csv.DictReader(text)
        columns = set(lines.fieldnames or ())
        if columns >= _TRASH:
            raise InputError(f"{path}: a trash file: what mempool-dumpster itself refused, with reasons")
        if _is_collectors(lines.fieldnames or ()):
            raise InputError(
                f"{path}: a collector's hourly file: mempool-dumpster's merge makes days of them"
            )
        if not (columns >= _TRANSACTIONS or columns >= _SOURCELOG):
            raise InputError(f"{path}: line 1: not the columns of a transactions file or of a sourcelog")
        while True:
            try:
                yield next(lines)
            except StopIteration:
                return
            except csv.Error:
                yield {}
            except (OSError, zipfile.BadZipFile) as error:
                raise InputError(f"{path}: line {lines.line_num}: {error}") from error


def _is_collectors(first: Sequence[str]) -> bool:
    """Say whether a first line is a row of time, hash and bytes, as a collector writes it: no header."""
    return len(first) == 3 and first[0].isdigit() and all(part.startswith("0x") for part in first[1:])


def _open_text(path: Path) -> io.TextIOWrapper:
    try:
        if not path.name.endswith(".zip"):
            return path.open(encoding="utf-8", errors="replace", newline="")
        archive = zipfile.ZipFile(path)
        names = [name for name in archive.namelist() if name.endswith(".csv")]
        if len(names) != 1:
            raise InputError(f"{path}: expected one .csv in it, found {len(names)}")
        return io.TextIOWrapper(archive.open(names[0]), encoding="utf-8", errors="replace", newline="")
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: {error}") from error


def _parquet_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            held = set(file.schema_arrow.names)
            missing = _PARQUET_COLUMNS.keys() - _SINCE_2024_03 - held
            if missing:
                raise InputError(f"{path}: columns missing: {', '.join(sorted(missing))}")
            for batch in file.iter_batches(
                _PARQUET_ROWS, columns=[name for name in _PARQUET_COLUMNS if name in held]
            ):
                yield from _rows_of(batch)
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path}: {error}") from error


def _rows_of(batch: pyarrow.RecordBatch) -> Iterator[Mapping[str, Any]]:
    columns = []
    held = [name for name in _PARQUET_COLUMNS if name in batch.schema.names]
    for name in held:
        column = batch.column(batch.schema.get_field_index(name))
        if name == "timestamp" and pyarrow.types.is_timestamp(column.type):
            column = column.cast(pyarrow.timestamp("ms")).cast(pyarrow.int64())
        columns.append(column.to_pylist())
    names = [_PARQUET_COLUMNS[name] for name in held]
    for values in zip(*columns, strict=True):
        yield dict(zip(names, values, strict=True))


def _row_count(files: Sequence[Path]) -> int | None:
    """Return how many rows there are, where that is known without reading them."""
    count = 0
    for path in files:
        if not path.name.endswith(".parquet"):
            return None
        try:
            count += pyarrow.parquet.read_metadata(path).num_rows
        except (pyarrow.ArrowException, OSError) as error:
            raise InputError(f"{path}: {error}") from error
    return count
