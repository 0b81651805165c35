"""One table of eth messages, keyed by id and version: how each is read and written.

Offered: 68 to 71. Version 72 is understood where it announces, not offered: its blob cells are a duty that a
mempool listener cannot meet. Versions 66 and 67 are only read where their announcements differ.
"""

from typing import Any, NamedTuple

from mev_dagster.devp2p.eth.messages import (
    BlockAccessLists,
    BlockBodies,
    BlockHeaders,
    BlockRangeUpdate,
    GetBlockAccessLists,
    GetBlockBodies,
    GetBlockHeaders,
    GetPooledTransactions,
    GetReceipts,
    Message,
    NewPooledTransactionHashes,
    PooledTransactions,
    Receipts,
    Status,
    Transactions,
    Unread,
)
from mev_dagster.devp2p.eth.readers import (
    Reader,
    read_announcement,
    read_get_headers,
    read_get_receipts,
    read_hash_request,
    read_items,
    read_pooled,
    read_range,
    read_receipts,
    read_status,
    read_transactions,
)
from mev_dagster.devp2p.eth.writers import (
    Writer,
    write_announcement,
    write_get_headers,
    write_get_receipts,
    write_hash_request,
    write_items,
    write_pooled,
    write_range,
    write_receipts,
    write_status,
    write_transactions,
)
from mev_dagster.errors import ProtocolViolation

OFFERED_VERSIONS = (68, 69, 70, 71)
STATUS_ID = 0x00
LENGTHS = {66: 17, 67: 17, 68: 17, 69: 18, 70: 18, 71: 20, 72: 22}  # message ids each version reserves


class WireFormat(NamedTuple):
    """One message: its name, the versions that have it, how it is read and written."""

    name: str
    since: int
    until: int
    read: Reader | None = None
    write: Writer | None = None
    kind: type[Any] | None = None


_LAST = max(LENGTHS)

TABLE: dict[int, WireFormat] = {
    0x00: WireFormat("Status", 66, _LAST, read_status, write_status, Status),
    0x01: WireFormat("NewBlockHashes", 66, 68),
    0x02: WireFormat("Transactions", 66, _LAST, read_transactions, write_transactions, Transactions),
    0x03: WireFormat("GetBlockHeaders", 66, _LAST, read_get_headers, write_get_headers, GetBlockHeaders),
    0x04: WireFormat(
        "BlockHeaders", 66, _LAST, read_items(BlockHeaders), write_items("headers"), BlockHeaders
    ),
    0x05: WireFormat(
        "GetBlockBodies", 66, _LAST, read_hash_request(GetBlockBodies), write_hash_request, GetBlockBodies
    ),
    0x06: WireFormat("BlockBodies", 66, _LAST, read_items(BlockBodies), write_items("bodies"), BlockBodies),
    0x07: WireFormat("NewBlock", 66, 68),
    0x08: WireFormat(
        "NewPooledTransactionHashes",
        66,
        _LAST,
        read_announcement,
        write_announcement,
        NewPooledTransactionHashes,
    ),
    0x09: WireFormat(
        "GetPooledTransactions",
        66,
        _LAST,
        read_hash_request(GetPooledTransactions),
        write_hash_request,
        GetPooledTransactions,
    ),
    0x0A: WireFormat("PooledTransactions", 66, _LAST, read_pooled, write_pooled, PooledTransactions),
    0x0D: WireFormat("GetNodeData", 66, 66),
    0x0E: WireFormat("NodeData", 66, 66),
    0x0F: WireFormat("GetReceipts", 66, _LAST, read_get_receipts, write_get_receipts, GetReceipts),
    0x10: WireFormat("Receipts", 66, _LAST, read_receipts, write_receipts, Receipts),
    0x11: WireFormat("BlockRangeUpdate", 69, _LAST, read_range, write_range, BlockRangeUpdate),
    0x12: WireFormat(
        "GetBlockAccessLists",
        71,
        _LAST,
        read_hash_request(GetBlockAccessLists),
        write_hash_request,
        GetBlockAccessLists,
    ),
    0x13: WireFormat(
        "BlockAccessLists",
        71,
        _LAST,
        read_items(BlockAccessLists),
        write_items("lists"),
        BlockAccessLists,
    ),
    0x14: WireFormat("GetCells", 72, 72),
    0x15: WireFormat("Cells", 72, 72),
}
_IDS = {entry.kind: message_id for message_id, entry in TABLE.items() if entry.kind is not None}


def name_of(message_id: int) -> str:
    """Return the name of a message id, for labels."""
    entry = TABLE.get(message_id)
    return entry.name if entry else "unknown"


def decode_message(message_id: int, payload: bytes, version: int) -> Message:
    """Decode the message with this id (counted from the capability's first) as `version` defines it."""
    entry = TABLE.get(message_id)
    if entry is None or message_id >= LENGTHS[version]:
        raise ProtocolViolation("bad_message_id", f"eth/{version} has no message 0x{message_id:02x}")
    if entry.read is None or not entry.since <= version <= entry.until:
        return Unread(entry.name, len(payload))
    return entry.read(payload, version)


def encode_message(message: Message, version: int) -> tuple[int, bytes]:
    """Return a message's id and payload as `version` writes it."""
    message_id = _IDS[type(message)]
    entry = TABLE[message_id]
    if entry.write is None or not entry.since <= version <= entry.until:
        raise ValueError(f"eth/{version} has no {entry.name}")
    return message_id, entry.write(message, version)
