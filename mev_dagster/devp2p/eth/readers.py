"""Payloads of eth messages to values, as each version defines them."""

from collections.abc import Callable
from typing import TypeAlias

from mev_dagster.chain import rlp
from mev_dagster.devp2p.eth.announcements import read_hashes, read_sizes
from mev_dagster.devp2p.eth.messages import (
    BlockRangeUpdate,
    GetBlockHeaders,
    GetReceipts,
    Message,
    NewPooledTransactionHashes,
    PooledTransactions,
    Receipts,
    Status,
    Transactions,
)
from mev_dagster.devp2p.eth.pooled import read_transactions as split_transactions
from mev_dagster.devp2p.forkid import read_fork_id
from mev_dagster.errors import DecodeError, ProtocolViolation

MAX_REQUESTED = 1024  # hashes or headers one request may name; geth answers at most as many

Reader: TypeAlias = Callable[[bytes, int], Message]


def _fields(payload: bytes, count: int, name: str) -> list[rlp.Item]:
    fields = rlp.decode_list(payload)
    if len(fields) != count:
        raise DecodeError("wrong_field_count", f"{name}: {len(fields)} fields, expected {count}")
    return fields


def _number(item: rlp.Item, name: str, bits: int = 64) -> int:
    return rlp.integer(item, bits=bits, name=name)


def _hash(item: rlp.Item, name: str) -> bytes:
    return rlp.fixed(item, 32, name=name)


def read_status(payload: bytes, version: int) -> Status:
    """Read a Status; its shape changed with eth/69."""
    fields = rlp.decode_list(payload)
    if len(fields) < (6 if version <= 68 else 7):
        raise DecodeError("wrong_field_count", f"status: {len(fields)} fields for eth/{version}")
    stated, network_id = _number(fields[0], "version"), _number(fields[1], "network id")
    if version <= 68:
        return Status(
            version=stated,
            network_id=network_id,
            total_difficulty=_number(fields[2], "total difficulty", bits=256),
            head_hash=_hash(fields[3], "head hash"),
            genesis=_hash(fields[4], "genesis"),
            fork_id=read_fork_id(fields[5]),
        )
    return Status(
        version=stated,
        network_id=network_id,
        genesis=_hash(fields[2], "genesis"),
        fork_id=read_fork_id(fields[3]),
        earliest=_number(fields[4], "earliest block"),
        latest=_number(fields[5], "latest block"),
        head_hash=_hash(fields[6], "latest hash"),
    )


def read_announcement(payload: bytes, version: int) -> NewPooledTransactionHashes:
    """Read an announcement in the shape of `version`."""
    end = len(payload)
    start, stop = rlp.list_span(payload, 0, end)
    if version < 68:  # a bare list of hashes
        hashes = read_hashes(payload, start, stop)
        return NewPooledTransactionHashes(bytes(len(hashes)), (0,) * len(hashes), hashes)
    is_list, at, next_at = rlp.payload_span(payload, start, stop)
    if is_list:
        raise DecodeError("unexpected_list", "announced types are a list, expected a string")
    types = payload[at:next_at]
    is_list, at, next_at = rlp.payload_span(payload, next_at, stop)
    if not is_list:
        raise DecodeError("rlp_not_a_list", "announced sizes are a string, expected a list")
    sizes = read_sizes(payload, at, next_at)
    is_list, at, next_at = rlp.payload_span(payload, next_at, stop)
    if not is_list:
        raise DecodeError("rlp_not_a_list", "announced hashes are a string, expected a list")
    hashes = read_hashes(payload, at, next_at)
    cells = None
    if version >= 72:
        cells = rlp.fixed(rlp.decode(payload[next_at:stop]), 16, name="cells")
    elif next_at != stop:
        raise DecodeError("rlp_trailing_bytes", f"{stop - next_at} bytes after the announced hashes")
    if not len(types) == len(sizes) == len(hashes):
        lengths = f"{len(types)} types, {len(sizes)} sizes, {len(hashes)} hashes"
        raise ProtocolViolation("unequal_announcement", lengths)
    return NewPooledTransactionHashes(types, sizes, hashes, cells)


def read_transactions(payload: bytes, version: int) -> Transactions:
    """Read pushed transactions."""
    return Transactions(split_transactions(payload, *rlp.list_span(payload, 0, len(payload))))


def _answer(payload: bytes) -> tuple[int, int, int]:
    """Read the request id of an answer and return it with the span that follows."""
    start, stop = rlp.list_span(payload, 0, len(payload))
    is_list, at, next_at = rlp.payload_span(payload, start, stop)
    if is_list:
        raise DecodeError("unexpected_list", "the request id is a list")
    return rlp.integer(payload[at:next_at], bits=64, name="request id"), next_at, stop


def read_pooled(payload: bytes, version: int) -> PooledTransactions:
    """Read an answer with bodies."""
    request_id, start, stop = _answer(payload)
    return PooledTransactions(request_id, split_transactions(payload, *rlp.list_span(payload, start, stop)))


def read_hash_request(kind: Callable[[int, tuple[bytes, ...]], Message]) -> Reader:
    """Return the reader of a request that is a list of hashes."""

    def read(payload: bytes, version: int) -> Message:
        request_id, start, stop = _answer(payload)
        span = rlp.list_span(payload, start, stop)
        return kind(request_id, read_hashes(payload, *span, limit=MAX_REQUESTED))

    return read


def read_get_headers(payload: bytes, version: int) -> GetBlockHeaders:
    """Read a request for headers."""
    request_id, query = _fields(payload, 2, "GetBlockHeaders")
    fields = rlp.items(query, name="header query")
    if len(fields) != 4:
        raise DecodeError("wrong_field_count", f"header query: {len(fields)} fields, expected 4")
    start = rlp.text(fields[0], name="start")
    return GetBlockHeaders(
        _number(request_id, "request id"),
        start if len(start) == 32 else _number(start, "start"),
        _number(fields[1], "limit"),
        _number(fields[2], "skip"),
        bool(_number(fields[3], "reverse", bits=8)),
    )


def read_items(kind: Callable[[int, tuple[bytes, ...]], Message]) -> Reader:
    """Return the reader of an answer whose items are kept as the RLP they came in."""

    def read(payload: bytes, version: int) -> Message:
        request_id, start, stop = _answer(payload)
        return kind(request_id, _items(payload, start, stop))

    return read


def _items(payload: bytes, start: int, stop: int) -> tuple[bytes, ...]:
    at, end = rlp.list_span(payload, start, stop)
    found = []
    while at < end:
        item_end = rlp.payload_span(payload, at, end)[2]
        found.append(payload[at:item_end])
        at = item_end
    return tuple(found)


def read_get_receipts(payload: bytes, version: int) -> GetReceipts:
    """Read a request for receipts."""
    request_id, start, stop = _answer(payload)
    first_index = 0
    if version >= 70:
        _, at, next_at = rlp.payload_span(payload, start, stop)
        first_index = rlp.integer(payload[at:next_at], bits=64, name="first receipt")
        start = next_at
    hashes = read_hashes(payload, *rlp.list_span(payload, start, stop), limit=MAX_REQUESTED)
    return GetReceipts(request_id, hashes, first_index)


def read_receipts(payload: bytes, version: int) -> Receipts:
    """Read an answer with receipts."""
    request_id, start, stop = _answer(payload)
    incomplete = False
    if version >= 70:
        _, at, next_at = rlp.payload_span(payload, start, stop)
        incomplete = bool(rlp.integer(payload[at:next_at], bits=8, name="last incomplete"))
        start = next_at
    return Receipts(request_id, _items(payload, start, stop), incomplete)


def read_range(payload: bytes, version: int) -> BlockRangeUpdate:
    """Read a BlockRangeUpdate."""
    earliest, latest, latest_hash = _fields(payload, 3, "BlockRangeUpdate")
    return BlockRangeUpdate(
        _number(earliest, "earliest"), _number(latest, "latest"), _hash(latest_hash, "latest hash")
    )
