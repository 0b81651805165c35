"""The store's `transactions` columns as Arrow arrays: their types, and how each is built from Python values.

256-bit integers travel as 32 little-endian bytes, which is what ClickHouse's UInt256 is.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mev_dagster.chain.nested_lists import AccessPairs
from mev_dagster.chain.transactions import Authorization

UINT256 = pa.binary(32)
ADDRESS = pa.binary(20)
HASH = pa.binary(32)


def _list_of(item: pa.DataType, *, nullable: bool = False) -> pa.DataType:
    return pa.list_(pa.field("item", item, nullable=nullable))


SCHEMA = pa.schema(
    [
        pa.field("tx_hash", HASH, nullable=False),
        pa.field("tx_type", pa.uint8(), nullable=False),
        pa.field("chain_id", UINT256),
        pa.field("nonce", pa.uint64(), nullable=False),
        pa.field("sender", ADDRESS, nullable=False),
        pa.field("to", ADDRESS),
        pa.field("value_wei", UINT256, nullable=False),
        pa.field("gas_limit", pa.uint64(), nullable=False),
        pa.field("gas_price_wei", UINT256),
        pa.field("max_fee_per_gas_wei", UINT256),
        pa.field("max_priority_fee_per_gas_wei", UINT256),
        pa.field("max_fee_per_blob_gas_wei", UINT256),
        pa.field("access_list_addresses", _list_of(ADDRESS), nullable=False),
        pa.field("access_list_storage_keys", _list_of(_list_of(HASH)), nullable=False),
        pa.field("blob_versioned_hashes", _list_of(HASH), nullable=False),
        pa.field("authorization_chain_ids", _list_of(UINT256), nullable=False),
        pa.field("authorization_addresses", _list_of(ADDRESS), nullable=False),
        pa.field("authorization_nonces", _list_of(pa.uint64()), nullable=False),
        pa.field("authorization_y_parities", _list_of(UINT256), nullable=False),
        pa.field("authorization_r", _list_of(UINT256), nullable=False),
        pa.field("authorization_s", _list_of(UINT256), nullable=False),
        pa.field("authorization_authorities", _list_of(ADDRESS, nullable=True), nullable=False),
        pa.field("input", pa.binary(), nullable=False),
        pa.field("input_len", pa.uint32(), nullable=False),
        pa.field("selector", pa.binary(4)),
        pa.field("v", UINT256, nullable=False),
        pa.field("r", UINT256, nullable=False),
        pa.field("s", UINT256, nullable=False),
        pa.field("raw_len", pa.uint32(), nullable=False),
    ]
)
"""The columns of the store's `transactions` table that a signed transaction alone determines."""


class Columns(NamedTuple):
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


def fixed(values: Sequence[bytes], kind: pa.DataType) -> pa.Array:
    """Make a column of byte strings that all have the length of their type."""
    return pa.FixedSizeBinaryArray.from_buffers(kind, len(values), [None, pa.py_buffer(b"".join(values))])


def fixed_rows(rows: npt.NDArray[np.uint8], *, present: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """Make a column of equally long byte strings from the rows of a matrix; null where not `present`."""
    count, width = rows.shape
    valid = (
        None if present is None or present.all() else pa.py_buffer(np.packbits(present, bitorder="little"))
    )
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(width), count, [valid, pa.py_buffer(np.ascontiguousarray(rows))]
    )


def _uint256(values: Sequence[int]) -> pa.Array:
    return fixed([value.to_bytes(32, "little") for value in values], UINT256)


def _optional_uint256(values: Sequence[int | None]) -> pa.Array:
    return pa.array([None if value is None else value.to_bytes(32, "little") for value in values], UINT256)


def few_uint256(values: Sequence[int | None]) -> pa.Array:
    """Encode a column that repeats a few values; each is encoded once."""
    encoded = {value: None if value is None else value.to_bytes(32, "little") for value in set(values)}
    if None in encoded:
        return pa.array([encoded[value] for value in values], UINT256)
    return fixed([encoded[value] for value in values], UINT256)  # type: ignore[misc]  # none is None


def _signature_arrays(signatures: Sequence[bytes]) -> list[pa.Array]:
    """Split big-endian r || s into two little-endian columns."""
    pairs = np.frombuffer(b"".join(signatures), np.uint8).reshape(-1, 2, 32)[:, :, ::-1]
    return [fixed_rows(pairs[:, half]) for half in (0, 1)]


def offsets_of(lists: Iterable[Sequence[object]]) -> pa.Array:
    """Return the Arrow offsets of a column of lists."""
    return pa.array([0, *accumulate(map(len, lists))], pa.int32())


def list_column(name: str, offsets: pa.Array, items: pa.Array) -> pa.Array:
    """Make a list column of the schema from offsets and items."""
    return pa.ListArray.from_arrays(offsets, items, type=SCHEMA.field(name).type)


def pack(columns: Columns) -> pa.RecordBatch:
    """Build the record batch."""
    arrays = [
        fixed(columns.hash, HASH),
        pa.array(columns.type, pa.uint8()),
        few_uint256(columns.chain_id),
        pa.array(columns.nonce, pa.uint64()),
        fixed(columns.sender, ADDRESS),
        pa.array(columns.to, ADDRESS),
        _uint256(columns.value_wei),
        pa.array(columns.gas_limit, pa.uint64()),
        _optional_uint256(columns.gas_price_wei),
        _optional_uint256(columns.max_fee_per_gas_wei),
        _optional_uint256(columns.max_priority_fee_per_gas_wei),
        _optional_uint256(columns.max_fee_per_blob_gas_wei),
        *access_list_arrays(columns.access_list),
        list_column(
            "blob_versioned_hashes",
            offsets_of(columns.blob_versioned_hashes),
            fixed(list(chain.from_iterable(columns.blob_versioned_hashes)), HASH),
        ),
        *authorization_arrays(columns.authorizations),
        pa.array(columns.data, pa.binary()),
        pa.array(list(map(len, columns.data)), pa.uint32()),
        pa.array(
            [
                data[:4] if to and len(data) >= 4 else None
                for data, to in zip(columns.data, columns.to, strict=True)
            ],
            pa.binary(4),
        ),
        few_uint256(columns.v),
        *_signature_arrays(columns.signature),
        pa.array(columns.raw_len, pa.uint32()),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def access_list_arrays(lists: Sequence[AccessPairs]) -> tuple[pa.Array, pa.Array]:
    """Return the columns of addresses and storage keys."""
    offsets = offsets_of(lists)
    entries = list(chain.from_iterable(lists))
    keys = [keys for _, keys in entries]
    hashes = fixed(list(chain.from_iterable(keys)), HASH)
    keys_type = SCHEMA.field("access_list_storage_keys").type.value_type
    return (
        list_column("access_list_addresses", offsets, fixed([address for address, _ in entries], ADDRESS)),
        list_column(
            "access_list_storage_keys",
            offsets,
            pa.ListArray.from_arrays(offsets_of(keys), hashes, type=keys_type),
        ),
    )


def authorization_arrays(lists: Sequence[Sequence[Authorization]]) -> list[pa.Array]:
    """Return the columns of the authorizations, in the order of the schema."""
    offsets = offsets_of(lists)
    entries = list(chain.from_iterable(lists))
    items = {
        "authorization_chain_ids": _uint256([entry.chain_id for entry in entries]),
        "authorization_addresses": fixed([entry.address for entry in entries], ADDRESS),
        "authorization_nonces": pa.array([entry.nonce for entry in entries], pa.uint64()),
        "authorization_y_parities": _uint256([entry.y_parity for entry in entries]),
        "authorization_r": _uint256([entry.r for entry in entries]),
        "authorization_s": _uint256([entry.s for entry in entries]),
        "authorization_authorities": pa.array([entry.authority for entry in entries], ADDRESS),
    }
    return [list_column(name, offsets, array) for name, array in items.items()]
