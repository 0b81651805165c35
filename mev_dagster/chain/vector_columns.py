"""Hash, recover and pack the plain rows that `vector` found."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sha3 import keccak_256

from mev_dagster.chain.arrays import (
    ADDRESS,
    SCHEMA,
    UINT256,
    access_list_arrays,
    authorization_arrays,
    fixed,
    fixed_rows,
    list_column,
    offsets_of,
)
from mev_dagster.chain.ecdsa import recover_or_none
from mev_dagster.chain.envelope import replay_protection, signing_hash
from mev_dagster.chain.fields import BLOB, DYNAMIC_FEE, LEGACY, SET_CODE, Span
from mev_dagster.chain.nested_lists import read_lists
from mev_dagster.chain.transactions import recover_authorization
from mev_dagster.chain.vector import PlainRows
from mev_dagster.errors import DecodeError

_NO_LISTS: tuple[Any, Any, Any] = ((), (), ())
_SPECIAL = {BLOB: "blob_versioned_hashes", SET_CODE: "authorization_list"}
_AUTHORIZATION_COLUMNS = [name for name in SCHEMA.names if name.startswith("authorization_")]


class _Found(NamedTuple):
    """What is computed row by row."""

    hashes: list[bytes]
    senders: list[bytes]
    lists: list[tuple[Any, Any, Any]]


def plain_columns(raws: Sequence[bytes], plain: PlainRows, kind: int) -> tuple[pa.RecordBatch, list[int]]:
    """Return the columns of plain rows, and the positions of the inputs they came from.

    A row whose lists are wrong or whose sender cannot be recovered is left out, for `envelope` to judge.
    """
    row_raws = [raws[row] for row in plain.rows.tolist()]
    lists = [
        _NO_LISTS if spans is None else _read_lists(raw, kind, *spans)
        for raw, spans in zip(row_raws, _list_spans(plain, kind), strict=True)
    ]
    senders = [
        recover_or_none(digest, signature, parity)
        for digest, signature, parity in zip(
            _digests(row_raws, plain, kind),
            np.ascontiguousarray(plain.signatures).view("V64")[:, 0].tolist(),
            plain.parities(kind).tolist(),
            strict=True,
        )
    ]
    left_out = [index for index, sender in enumerate(senders) if sender is None or lists[index] is None]
    if left_out:
        for index in reversed(left_out):
            del row_raws[index], lists[index], senders[index]
        plain = plain.without(left_out)
    found = _Found([keccak_256(raw).digest() for raw in row_raws], senders, lists)  # type: ignore[arg-type]
    return _pack(row_raws, plain, kind, found), plain.rows.tolist()


def _digests(row_raws: Sequence[bytes], plain: PlainRows, kind: int) -> list[bytes]:
    """Return what each sender signed."""
    starts = (plain.payload - plain.base).tolist()
    ends = (plain.signed_end - plain.base).tolist()
    if kind:
        return [
            signing_hash(kind, raw[start:end]) for raw, start, end in zip(row_raws, starts, ends, strict=True)
        ]
    values = plain.v.tolist()
    suffixes = {v: replay_protection((v - 35) // 2) if v >= 35 else b"" for v in set(values)}
    return [
        signing_hash(kind, raw[start:end] + suffixes[v])
        for raw, start, end, v in zip(row_raws, starts, ends, values, strict=True)
    ]


def _read_lists(raw: bytes, kind: int, access: Span, special: Span) -> tuple[Any, Any, Any] | None:
    try:
        return read_lists(raw, kind, access, special)
    except DecodeError:
        return None


def _list_spans(plain: PlainRows, kind: int) -> list[Any]:
    """Return, for each row, the spans of its lists, or None where it has nothing in them."""
    if kind == LEGACY:
        return [None] * len(plain.rows)
    access = plain.spans("access_list")
    if kind in _SPECIAL:
        return list(zip(access, plain.spans(_SPECIAL[kind]), strict=True))
    return [None if start == end else ((start, end), (0, 0)) for start, end in access]


def _pack(row_raws: Sequence[bytes], plain: PlainRows, kind: int, found: _Found) -> pa.RecordBatch:
    count = len(found.hashes)
    nothing = pa.nulls(count, UINT256)
    dynamic = kind >= DYNAMIC_FEE
    to_length = plain.fields["to"].length
    data = plain.fields["data"]
    datas = [raw[start:end] for raw, (start, end) in zip(row_raws, plain.spans("data"), strict=True)]
    has_selector = (to_length > 0) & (data.length >= 4)
    r_and_s = plain.signatures.reshape(-1, 2, 32)[:, :, ::-1]
    access_lists = [access for access, _, _ in found.lists]
    blob_hashes = [blobs for _, blobs, _ in found.lists]
    authorizations = [[recover_authorization(item) for item in items] for _, _, items in found.lists]
    columns = {
        "tx_hash": fixed(found.hashes, UINT256),
        "tx_type": pa.array(np.full(count, kind, np.uint8)),
        "chain_id": _chain_ids(plain, kind),
        "nonce": pa.array(plain.uint64("nonce")),
        "sender": fixed(found.senders, ADDRESS),
        "to": fixed_rows(plain.buffer.content(plain.fields["to"], 20), present=to_length > 0),
        "value_wei": fixed_rows(plain.uint256("value")),
        "gas_limit": pa.array(plain.uint64("gas_limit")),
        "gas_price_wei": nothing if dynamic else fixed_rows(plain.uint256("gas_price")),
        "max_fee_per_gas_wei": fixed_rows(plain.uint256("max_fee_per_gas")) if dynamic else nothing,
        "max_priority_fee_per_gas_wei": fixed_rows(plain.uint256("max_priority_fee_per_gas"))
        if dynamic
        else nothing,
        "max_fee_per_blob_gas_wei": fixed_rows(plain.uint256("max_fee_per_blob_gas"))
        if kind == BLOB
        else nothing,
        "blob_versioned_hashes": list_column(
            "blob_versioned_hashes",
            offsets_of(blob_hashes),
            fixed(list(chain.from_iterable(blob_hashes)), UINT256),
        ),
        "input": pa.array(datas, pa.binary()),
        "input_len": pa.array(data.length.astype(np.uint32)),
        "selector": fixed_rows(plain.buffer.content(data, 4), present=has_selector),
        "v": fixed_rows(_as_words(plain.v)),
        "r": fixed_rows(np.ascontiguousarray(r_and_s[:, 0])),
        "s": fixed_rows(np.ascontiguousarray(r_and_s[:, 1])),
        "raw_len": pa.array((plain.ends - plain.base).astype(np.uint32)),
    }
    columns["access_list_addresses"], columns["access_list_storage_keys"] = access_list_arrays(access_lists)
    columns |= zip(_AUTHORIZATION_COLUMNS, authorization_arrays(authorizations), strict=True)
    return pa.RecordBatch.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def _chain_ids(plain: PlainRows, kind: int) -> pa.Array:
    if kind:
        return fixed_rows(_as_words(plain.uint64("chain_id")))
    protected = plain.v >= 35
    return fixed_rows(_as_words(np.where(protected, (plain.v - 35) >> 1, 0)), present=protected)


def _as_words(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """Return numbers as 32 little-endian bytes each."""
    words = np.zeros((len(values), 4), "<u8")
    words[:, 0] = values
    return words.view(np.uint8)
