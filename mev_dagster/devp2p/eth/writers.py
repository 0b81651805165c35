"""Values to payloads of eth messages, as each version defines them."""

from collections.abc import Callable
from typing import Any, TypeAlias

from mev_dagster.chain import rlp
from mev_dagster.devp2p.eth.messages import (
    BlockRangeUpdate,
    GetBlockHeaders,
    GetReceipts,
    NewPooledTransactionHashes,
    PooledTransactions,
    Receipts,
    Status,
    Transactions,
)
from mev_dagster.devp2p.eth.pooled import item as transaction_item

Writer: TypeAlias = Callable[[Any, int], bytes]


def write_status(status: Status, version: int) -> bytes:
    """Write a Status; its shape changed with eth/69."""
    fork: rlp.Encodable = status.fork_id.fields()
    if version <= 68:
        return rlp.encode(
            [version, status.network_id, status.total_difficulty, status.head_hash, status.genesis, fork]
        )
    served: list[rlp.Encodable] = [status.earliest, status.latest, status.head_hash]
    return rlp.encode([version, status.network_id, status.genesis, fork, *served])


def write_announcement(message: NewPooledTransactionHashes, version: int) -> bytes:
    """Write an announcement in the shape of `version`."""
    if version < 68:
        return rlp.encode(list(message.hashes))
    cells = [message.cells or bytes(16)] if version >= 72 else []
    return rlp.encode([message.types, list(message.sizes), list(message.hashes), *cells])


def write_transactions(message: Transactions, version: int) -> bytes:
    """Write pushed transactions."""
    return rlp.encode_list([transaction_item(tx.raw) for tx in message.transactions])


def write_pooled(message: PooledTransactions, version: int) -> bytes:
    """Write an answer with bodies."""
    bodies = rlp.encode_list([transaction_item(tx.raw) for tx in message.transactions])
    return rlp.encode_list([rlp.encode_int(message.request_id), bodies])


def write_hash_request(message: Any, version: int) -> bytes:
    """Write a request that is a list of hashes."""
    return rlp.encode([message.request_id, list(message.hashes)])


def write_get_headers(message: GetBlockHeaders, version: int) -> bytes:
    """Write a request for headers."""
    query = [message.start, message.limit, message.skip, int(message.reverse)]
    return rlp.encode([message.request_id, query])


def write_items(name: str) -> Writer:
    """Return the writer of an answer whose items, in field `name`, are RLP already."""

    def write(message: Any, version: int) -> bytes:
        return rlp.encode_list([rlp.encode_int(message.request_id), rlp.encode_list(getattr(message, name))])

    return write


def write_get_receipts(message: GetReceipts, version: int) -> bytes:
    """Write a request for receipts."""
    first = [message.first_index] if version >= 70 else []
    return rlp.encode([message.request_id, *first, list(message.hashes)])


def write_receipts(message: Receipts, version: int) -> bytes:
    """Write an answer with receipts."""
    incomplete = [rlp.encode_int(message.last_incomplete)] if version >= 70 else []
    parts = [rlp.encode_int(message.request_id), *incomplete, rlp.encode_list(message.blocks)]
    return rlp.encode_list(parts)


def write_range(message: BlockRangeUpdate, version: int) -> bytes:
    """Write a BlockRangeUpdate."""
    return rlp.encode([message.earliest, message.latest, message.latest_hash])
