"""Raw transactions straight into columns: no object per transaction, one Arrow record batch per call.

A batch crosses process borders as Arrow IPC bytes.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from mev_dagster.chain.arrays import SCHEMA, Columns, pack
from mev_dagster.chain.ecdsa import recover_address
from mev_dagster.chain.envelope import Envelope, transaction_fields
from mev_dagster.chain.fields import SIGNED_FIELDS
from mev_dagster.chain.transactions import Transaction, recover_authorization, strip_sidecar
from mev_dagster.chain.vector import Buffer
from mev_dagster.chain.vector_columns import plain_columns
from mev_dagster.errors import DecodeError

__all__ = ["SCHEMA", "DecodedBatch", "Reject", "decode_columns", "from_ipc", "to_ipc", "transaction_columns"]

_WORTH_A_VECTOR = 250
"""Fewer transactions than this of one type are cheaper one by one."""

_SIGNING_HASH = Envelope._fields.index("signing_hash")
_SIGNATURE = Envelope._fields.index("signature")
_Y_PARITY = Envelope._fields.index("y_parity")


class Reject(NamedTuple):
    """An input that is no transaction: its place in the batch, and why."""

    position: int
    reason: str
    detail: str


class DecodedBatch(NamedTuple):
    """Rows in input order without the rejected inputs; `positions[row]` is the input it came from."""

    rows: pa.RecordBatch
    positions: list[int]
    rejects: list[Reject]


class _Part(NamedTuple):
    """Rows of a batch with the positions of the inputs they came from."""

    rows: pa.RecordBatch
    positions: list[int]


def decode_columns(
    raws: Sequence[bytes], *, network_form: bool = False, allow_high_s: bool = False
) -> DecodedBatch:
    """Decode raw transactions, recover their senders and pack the fields into columns.

    One bad input never spoils the others. With `network_form` blob sidecars are dropped first. The types
    that a batch holds many of are split with numpy; what that leaves over, one by one.
    """
    rejects: list[Reject] = []
    if network_form:
        raws = _without_sidecars(raws, rejects)
    left = np.ones(len(raws), np.bool_)
    left[[reject.position for reject in rejects]] = False
    parts = _split_by_type(raws, left) if len(raws) >= _WORTH_A_VECTOR else []
    parts.append(_one_by_one(raws, np.flatnonzero(left).tolist(), allow_high_s, rejects))
    rejects.sort()
    parts = [part for part in parts if part.positions] or parts[-1:]
    if len(parts) == 1:
        return DecodedBatch(*parts[0], rejects)
    positions = [position for part in parts for position in part.positions]
    in_order = pa.array(np.argsort(np.array(positions)))
    rows = pa.concat_batches([part.rows for part in parts]).take(in_order)
    return DecodedBatch(rows, sorted(positions), rejects)


def _without_sidecars(raws: Sequence[bytes], rejects: list[Reject]) -> list[bytes]:
    stripped = []
    for position, raw in enumerate(raws):
        try:
            stripped.append(strip_sidecar(raw)[0])
        except DecodeError as error:
            rejects.append(Reject(position, error.reason, error.detail))
            stripped.append(b"")
    return stripped


def _split_by_type(raws: Sequence[bytes], left: "np.ndarray[Any, np.dtype[np.bool_]]") -> list[_Part]:
    """Decode the plain rows of each type that is frequent enough, and take them from what is `left`."""
    buffer = Buffer(raws)
    kinds = buffer.kinds()
    parts = []
    for kind in range(len(SIGNED_FIELDS)):
        rows = np.flatnonzero((kinds == kind) & left)
        if len(rows) >= _WORTH_A_VECTOR:
            part = _Part(*plain_columns(raws, buffer.plain_rows(rows, kind), kind))
            left[part.positions] = False
            parts.append(part)
    return parts


def _one_by_one(
    raws: Sequence[bytes], candidates: Iterable[int], allow_high_s: bool, rejects: list[Reject]
) -> _Part:
    fields: list[tuple[Any, ...]] = []
    senders: list[bytes] = []
    positions: list[int] = []
    for position in candidates:
        try:
            row = transaction_fields(raws[position], allow_high_s)
            senders.append(recover_address(row[_SIGNING_HASH], row[_SIGNATURE], row[_Y_PARITY]))
        except DecodeError as error:
            rejects.append(Reject(position, error.reason, error.detail))
            continue
        fields.append(row)
        positions.append(position)
    if not fields:
        return _Part(pa.RecordBatch.from_pylist([], schema=SCHEMA), positions)
    columns: Any = Envelope._make(zip(*fields, strict=True))  # a column where an envelope has a value
    rows = pack(
        Columns(
            columns.hash,
            columns.type,
            columns.chain_id,
            columns.nonce,
            senders,
            [to or None for to in columns.to],
            columns.value_wei,
            columns.gas_limit,
            columns.gas_price_wei,
            columns.max_fee_per_gas_wei,
            columns.max_priority_fee_per_gas_wei,
            columns.max_fee_per_blob_gas_wei,
            columns.data,
            columns.access_list,
            columns.blob_versioned_hashes,
            [[recover_authorization(signed) for signed in entries] for entries in columns.authorizations],
            columns.v,
            columns.signature,
            [len(raws[position]) for position in positions],
        )
    )
    return _Part(rows, positions)


def transaction_columns(transactions: Sequence[Transaction]) -> pa.RecordBatch:
    """Return the same columns for transactions that were decoded one by one."""
    return pack(
        Columns(
            [tx.hash for tx in transactions],
            [tx.type for tx in transactions],
            [tx.chain_id for tx in transactions],
            [tx.nonce for tx in transactions],
            [tx.sender for tx in transactions],
            [tx.to for tx in transactions],
            [tx.value_wei for tx in transactions],
            [tx.gas_limit for tx in transactions],
            [tx.gas_price_wei for tx in transactions],
            [tx.max_fee_per_gas_wei for tx in transactions],
            [tx.max_priority_fee_per_gas_wei for tx in transactions],
            [tx.max_fee_per_blob_gas_wei for tx in transactions],
            [tx.data for tx in transactions],
            [tuple((entry.address, entry.storage_keys) for entry in tx.access_list) for tx in transactions],
            [tx.blob_versioned_hashes for tx in transactions],
            [tx.authorization_list for tx in transactions],
            [tx.v for tx in transactions],
            [tx.r.to_bytes(32, "big") + tx.s.to_bytes(32, "big") for tx in transactions],
            [tx.raw_len for tx in transactions],
        )
    )


def to_ipc(rows: pa.RecordBatch) -> pa.Buffer:
    """Return a batch as an Arrow IPC stream, for another process to read without copying."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_batch(rows)
    return sink.getvalue()


def from_ipc(stream: bytes | pa.Buffer) -> pa.RecordBatch:
    """Read what `to_ipc` wrote; the columns point into `stream`."""
    with pa.ipc.open_stream(stream) as reader:
        return reader.read_next_batch()
