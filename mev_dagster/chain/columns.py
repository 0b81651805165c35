"""Raw transactions straight into columns: no object per transaction, one Arrow record batch per call.

Names and types are those of the store's `transactions` table. 256-bit integers travel as 32 little-endian
bytes, which is what ClickHouse's UInt256 is. A batch crosses process borders as Arrow IPC bytes.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from mev_dagster.chain.ecdsa import recover_address
from mev_dagster.chain.envelope import AccessPairs, Envelope, transaction_fields
from mev_dagster.chain.transactions import Authorization, Transaction, recover_authorization, strip_sidecar
from mev_dagster.errors import DecodeError

_UINT256 = pa.binary(32)
_ADDRESS = pa.binary(20)
_HASH = pa.binary(32)

_SIGNING_HASH = Envelope._fields.index("signing_hash")
_SIGNATURE = Envelope._fields.index("signature")
_Y_PARITY = Envelope._fields.index("y_parity")


def _list_of(item: pa.DataType, *, nullable: bool = False) -> pa.DataType:
    return pa.list_(pa.field("item", item, nullable=nullable))


SCHEMA = pa.schema(
    [
        pa.field("tx_hash", _HASH, nullable=False),
        pa.field("tx_type", pa.uint8(), nullable=False),
        pa.field("chain_id", _UINT256),
        pa.field("nonce", pa.uint64(), nullable=False),
        pa.field("sender", _ADDRESS, nullable=False),
        pa.field("to", _ADDRESS),
        pa.field("value_wei", _UINT256, nullable=False),
        pa.field("gas_limit", pa.uint64(), nullable=False),
        pa.field("gas_price_wei", _UINT256),
        pa.field("max_fee_per_gas_wei", _UINT256),
        pa.field("max_priority_fee_per_gas_wei", _UINT256),
        pa.field("max_fee_per_blob_gas_wei", _UINT256),
        pa.field("access_list_addresses", _list_of(_ADDRESS), nullable=False),
        pa.field("access_list_storage_keys", _list_of(_list_of(_HASH)), nullable=False),
        pa.field("blob_versioned_hashes", _list_of(_HASH), nullable=False),
        pa.field("authorization_chain_ids", _list_of(_UINT256), nullable=False),
        pa.field("authorization_addresses", _list_of(_ADDRESS), nullable=False),
        pa.field("authorization_nonces", _list_of(pa.uint64()), nullable=False),
        pa.field("authorization_y_parities", _list_of(_UINT256), nullable=False),
        pa.field("authorization_r", _list_of(_UINT256), nullable=False),
        pa.field("authorization_s", _list_of(_UINT256), nullable=False),
        pa.field("authorization_authorities", _list_of(_ADDRESS, nullable=True), nullable=False),
        pa.field("input", pa.binary(), nullable=False),
        pa.field("input_len", pa.uint32(), nullable=False),
        pa.field("selector", pa.binary(4)),
        pa.field("v", _UINT256, nullable=False),
        pa.field("r", _UINT256, nullable=False),
        pa.field("s", _UINT256, nullable=False),
        pa.field("raw_len", pa.uint32(), nullable=False),
    ]
)
"""The columns of the store's `transactions` table that a signed transaction alone determines."""


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


class _Columns(NamedTuple):
    """One sequence per field, all of one length."""

    hash: Sequence[bytes]
    type: Sequence[int]
    chain_id: Sequence[int | None]
    nonce: Sequence[int]
    sender: Sequence[bytes]
    to: Sequence[bytes | None]
    value_wei: Sequence[int]
    gas_limit: Sequence[int]
    gas_price_wei: Sequence[int | None]
    max_fee_per_gas_wei: Sequence[int | None]
    max_priority_fee_per_gas_wei: Sequence[int | None]
    max_fee_per_blob_gas_wei: Sequence[int | None]
    data: Sequence[bytes]
    access_list: Sequence[AccessPairs]
    blob_versioned_hashes: Sequence[tuple[bytes, ...]]
    authorizations: Sequence[Sequence[Authorization]]
    v: Sequence[int]
    signature: Sequence[bytes]
    raw_len: Sequence[int]


def decode_columns(
    raws: Iterable[bytes], *, network_form: bool = False, allow_high_s: bool = False
) -> DecodedBatch:
    """Decode raw transactions, recover their senders and pack the fields into columns.

    One bad input never spoils the others. With `network_form` blob sidecars are dropped first.
    """
    fields: list[tuple[Any, ...]] = []
    senders: list[bytes] = []
    lengths: list[int] = []
    positions: list[int] = []
    rejects: list[Reject] = []
    for position, received in enumerate(raws):
        try:
            raw = strip_sidecar(received)[0] if network_form else received
            row = transaction_fields(raw, allow_high_s)
            sender = recover_address(row[_SIGNING_HASH], row[_SIGNATURE], row[_Y_PARITY])
        except DecodeError as error:
            rejects.append(Reject(position, error.reason, error.detail))
            continue
        fields.append(row)
        senders.append(sender)
        lengths.append(len(raw))
        positions.append(position)
    if not fields:
        return DecodedBatch(pa.RecordBatch.from_pylist([], schema=SCHEMA), positions, rejects)
    columns: Any = Envelope._make(zip(*fields, strict=True))  # a column where an envelope has a value
    rows = _pack(
        _Columns(
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
            [
                tuple([recover_authorization(signed) for signed in entries]) if entries else ()
                for entries in columns.authorizations
            ],
            columns.v,
            columns.signature,
            lengths,
        )
    )
    return DecodedBatch(rows, positions, rejects)


def transaction_columns(transactions: Sequence[Transaction]) -> pa.RecordBatch:
    """Return the same columns for transactions that were decoded one by one."""
    return _pack(
        _Columns(
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


def _fixed(values: Sequence[bytes], kind: pa.DataType) -> pa.Array:
    return pa.FixedSizeBinaryArray.from_buffers(kind, len(values), [None, pa.py_buffer(b"".join(values))])


def _uint256(values: Sequence[int]) -> pa.Array:
    return _fixed([value.to_bytes(32, "little") for value in values], _UINT256)


def _optional_uint256(values: Sequence[int | None]) -> pa.Array:
    return pa.array([None if value is None else value.to_bytes(32, "little") for value in values], _UINT256)


def _few_uint256(values: Sequence[int | None]) -> pa.Array:
    """Encode a column that repeats a few values; each is encoded once."""
    encoded = {value: None if value is None else value.to_bytes(32, "little") for value in set(values)}
    if None in encoded:
        return pa.array([encoded[value] for value in values], _UINT256)
    return _fixed([encoded[value] for value in values], _UINT256)  # type: ignore[misc]  # none is None


def _signature_arrays(signatures: Sequence[bytes]) -> list[pa.Array]:
    """Split big-endian r || s into two little-endian columns."""
    pairs = np.frombuffer(b"".join(signatures), np.uint8).reshape(-1, 2, 32)[:, :, ::-1]
    return [
        pa.FixedSizeBinaryArray.from_buffers(
            _UINT256, len(signatures), [None, pa.py_buffer(np.ascontiguousarray(pairs[:, half]))]
        )
        for half in (0, 1)
    ]


def _offsets(lists: Iterable[Sequence[object]]) -> pa.Array:
    return pa.array([0, *accumulate(map(len, lists))], pa.int32())


def _list_column(name: str, offsets: pa.Array, items: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(offsets, items, type=SCHEMA.field(name).type)


def _pack(columns: _Columns) -> pa.RecordBatch:
    arrays = [
        _fixed(columns.hash, _HASH),
        pa.array(columns.type, pa.uint8()),
        _few_uint256(columns.chain_id),
        pa.array(columns.nonce, pa.uint64()),
        _fixed(columns.sender, _ADDRESS),
        pa.array(columns.to, _ADDRESS),
        _uint256(columns.value_wei),
        pa.array(columns.gas_limit, pa.uint64()),
        _optional_uint256(columns.gas_price_wei),
        _optional_uint256(columns.max_fee_per_gas_wei),
        _optional_uint256(columns.max_priority_fee_per_gas_wei),
        _optional_uint256(columns.max_fee_per_blob_gas_wei),
        *_access_list_arrays(columns.access_list),
        _list_column(
            "blob_versioned_hashes",
            _offsets(columns.blob_versioned_hashes),
            _fixed(list(chain.from_iterable(columns.blob_versioned_hashes)), _HASH),
        ),
        *_authorization_arrays(columns.authorizations),
        pa.array(columns.data, pa.binary()),
        pa.array(list(map(len, columns.data)), pa.uint32()),
        pa.array(
            [
                data[:4] if to and len(data) >= 4 else None
                for data, to in zip(columns.data, columns.to, strict=True)
            ],
            pa.binary(4),
        ),
        _few_uint256(columns.v),
        *_signature_arrays(columns.signature),
        pa.array(columns.raw_len, pa.uint32()),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _access_list_arrays(lists: Sequence[AccessPairs]) -> tuple[pa.Array, pa.Array]:
    offsets = _offsets(lists)
    entries = list(chain.from_iterable(lists))
    keys = [keys for _, keys in entries]
    hashes = _fixed(list(chain.from_iterable(keys)), _HASH)
    keys_type = SCHEMA.field("access_list_storage_keys").type.value_type
    return (
        _list_column("access_list_addresses", offsets, _fixed([address for address, _ in entries], _ADDRESS)),
        _list_column(
            "access_list_storage_keys",
            offsets,
            pa.ListArray.from_arrays(_offsets(keys), hashes, type=keys_type),
        ),
    )


def _authorization_arrays(lists: Sequence[Sequence[Authorization]]) -> list[pa.Array]:
    offsets = _offsets(lists)
    entries = list(chain.from_iterable(lists))
    items = {
        "authorization_chain_ids": _uint256([entry.chain_id for entry in entries]),
        "authorization_addresses": _fixed([entry.address for entry in entries], _ADDRESS),
        "authorization_nonces": pa.array([entry.nonce for entry in entries], pa.uint64()),
        "authorization_y_parities": _uint256([entry.y_parity for entry in entries]),
        "authorization_r": _uint256([entry.r for entry in entries]),
        "authorization_s": _uint256([entry.s for entry in entries]),
        "authorization_authorities": pa.array([entry.authority for entry in entries], _ADDRESS),
    }
    return [_list_column(name, offsets, array) for name, array in items.items()]
