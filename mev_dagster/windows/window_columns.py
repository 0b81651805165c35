"""Records of the log to the columns of the tables that hold a row per event, many records at a time.

The columns lack the window's number and the log's name: the first is known only once the window's head is
seen, the second is the same for every row.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mev_dagster.chain.arrays import fixed, fixed_rows
from mev_dagster.errors import LogCorrupt
from mev_dagster.events.batch import RawBatch
from mev_dagster.events.record import ANNOUNCED, HAS_SIZE, HAS_TYPE, SYNTHETIC
from mev_dagster.events.types import BlockSeen, EventKind, Lane, TxRejected, lane_name

_TIME = pa.timestamp("ns", tz="UTC")
_HASH = pa.binary(32)
_ANNOUNCED: np.dtype[Any] = np.dtype([("type", "u1"), ("size", "<u4")])
_LANES = pa.array(
    [lane_name(Lane(number)) if number in set(Lane) else None for number in range(256)], pa.string()
)


def sighting_columns(batch: RawBatch) -> pa.RecordBatch:
    """Return the `tx_sightings` columns of sightings."""
    starts, ends = batch.payload_starts, batch.payload_ends
    peers = starts + ANNOUNCED.size
    if (ends < peers).any():
        raise LogCorrupt(f"event {batch.headers['seq'][ends < peers][0]}: no whole sighting")
    rows = max(0, len(batch.buffer) - ANNOUNCED.size + 1)
    every_place: npt.NDArray[Any] = np.ndarray((rows,), _ANNOUNCED, batch.buffer, strides=(1,))
    announced, flags = every_place[starts], batch.headers["flags"]
    return _columns(
        batch,
        {
            "seen_at": _times(batch),
            "mono_ns": pa.array(np.ascontiguousarray(batch.headers["mono_ns"])),
            "tx_hash": _subjects(batch),
            "peer": _texts(batch, peers, ends),
            "announced_type": pa.array(announced["type"], mask=flags & HAS_TYPE == 0),
            "announced_size": pa.array(announced["size"], mask=flags & HAS_SIZE == 0),
            "synthetic": pa.array(flags & SYNTHETIC != 0),
        },
    )


def transaction_rows(batch: RawBatch, decoded: pa.RecordBatch) -> pa.RecordBatch:
    """Return the `transactions` columns of bodies, given what they decode to."""
    return _columns(
        batch,
        {
            "first_seen_at": _times(batch),
            **dict(zip(decoded.schema.names, decoded.columns, strict=True)),
            "synthetic": pa.array(batch.headers["flags"] & SYNTHETIC != 0),
        },
    )


def reject_columns(batch: RawBatch) -> pa.RecordBatch:
    """Return the `tx_rejects` columns of rejects."""
    events = [event for event in batch.events() if isinstance(event, TxRejected)]
    return _columns(
        batch,
        {
            "seen_at": _times(batch),
            "digest": _subjects(batch),
            "reason": pa.array([event.reason for event in events], pa.string()),
            "detail": pa.array([event.detail for event in events], pa.string()),
            "raw": pa.array([event.raw for event in events], pa.binary()),
        },
    )


def block_tx_columns(event: BlockSeen, block_time: int) -> pa.RecordBatch:
    """Return the `block_txs` columns of a head."""
    count = len(event.tx_hashes)
    return pa.RecordBatch.from_pydict(
        {
            "block_number": pa.repeat(pa.scalar(event.number, pa.uint64()), count),
            "block_hash": pa.repeat(pa.scalar(event.block_hash, _HASH), count),
            "block_time": pa.repeat(pa.scalar(block_time, pa.int64()), count).cast(_TIME),
            "tx_index": pa.array(np.arange(count, dtype=np.uint32)),
            "tx_hash": fixed(event.tx_hashes, _HASH),
            "seq": pa.repeat(pa.scalar(event.seq, pa.int64()), count),
        }
    )


def _columns(batch: RawBatch, own: dict[str, pa.Array]) -> pa.RecordBatch:
    lanes = _LANES.take(pa.array(np.ascontiguousarray(batch.headers["lane"])))
    if lanes.null_count:
        raise LogCorrupt(f"event {batch.headers['seq'][0]} or one after it came on no known lane")
    return pa.RecordBatch.from_pydict(
        own
        | {
            "lane": lanes,
            "source": _texts(batch, batch.payload_ends, batch.ends),
            "seq": pa.array(batch.headers["seq"].astype(np.int64)),
        }
    )


def _times(batch: RawBatch) -> pa.Array:
    return pa.array(np.ascontiguousarray(batch.headers["wall_ns"])).view(_TIME)


def _subjects(batch: RawBatch) -> pa.Array:
    subjects = np.ascontiguousarray(batch.headers["subject"])
    return fixed_rows(subjects.view(np.uint8).reshape(-1, 32))


def _texts(batch: RawBatch, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> pa.Array:
    """Return a column of short texts, each decoded once: a log has few sources and some dozens of peers."""
    buffer = batch.buffer
    texts = [buffer[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    try:
        names = {text: text.decode() for text in set(texts)}
    except UnicodeDecodeError as cause:
        raise LogCorrupt(f"event {batch.headers['seq'][0]} or one after it: {cause}") from cause
    return pa.array([names[text] for text in texts], pa.string())


KINDS = {
    "tx_sightings": EventKind.TX_SEEN,
    "transactions": EventKind.TX_BODY,
    "tx_rejects": EventKind.TX_REJECTED,
}
"""The event that makes a row of each table that windows number."""
