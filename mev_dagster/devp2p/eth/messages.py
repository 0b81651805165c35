"""Messages of the eth capability as values. Hashes are 32 bytes, sizes bytes, blocks numbers or hashes."""

from dataclasses import dataclass
from typing import TypeAlias

from mev_dagster.devp2p.eth.pooled import PooledTransaction
from mev_dagster.devp2p.forkid import ForkId


@dataclass(frozen=True, slots=True)
class Status:
    """Which chain an end is on. `total_difficulty` ends with eth/68, the block range begins with eth/69."""

    version: int
    network_id: int
    genesis: bytes
    fork_id: ForkId
    head_hash: bytes
    total_difficulty: int = 0
    earliest: int = 0
    latest: int = 0


@dataclass(frozen=True, slots=True)
class Transactions:
    """Transactions pushed without being asked for."""

    transactions: tuple[PooledTransaction, ...]


@dataclass(frozen=True, slots=True)
class NewPooledTransactionHashes:
    """An announcement: three lists of equal length. `cells` is eth/72's bitmap of available blob columns."""

    types: bytes
    sizes: tuple[int, ...]
    hashes: tuple[bytes, ...]
    cells: bytes | None = None


@dataclass(frozen=True, slots=True)
class GetPooledTransactions:
    """A request for bodies by hash."""

    request_id: int
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PooledTransactions:
    """Bodies, in the order they were asked for, with gaps where the peer has none."""

    request_id: int
    transactions: tuple[PooledTransaction, ...]


@dataclass(frozen=True, slots=True)
class GetBlockHeaders:
    """A request for headers from `start`, every `skip + 1`th, `limit` at most."""

    request_id: int
    start: int | bytes
    limit: int
    skip: int = 0
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class BlockHeaders:
    """Headers, each as its RLP."""

    request_id: int
    headers: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class GetBlockBodies:
    """A request for block bodies by block hash."""

    request_id: int
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class BlockBodies:
    """Block bodies, each as its RLP."""

    request_id: int
    bodies: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class GetReceipts:
    """A request for receipts by block hash; eth/70 may begin inside the first block."""

    request_id: int
    hashes: tuple[bytes, ...]
    first_index: int = 0


@dataclass(frozen=True, slots=True)
class Receipts:
    """The receipts of each block, as its RLP list; eth/70 says whether the last list is cut off."""

    request_id: int
    blocks: tuple[bytes, ...] = ()
    last_incomplete: bool = False


@dataclass(frozen=True, slots=True)
class BlockRangeUpdate:
    """Which blocks an end can serve now (eth/69)."""

    earliest: int
    latest: int
    latest_hash: bytes


@dataclass(frozen=True, slots=True)
class GetBlockAccessLists:
    """A request for block access lists (eth/71)."""

    request_id: int
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class BlockAccessLists:
    """Block access lists, each as its RLP; the empty string says that the sender has none."""

    request_id: int
    lists: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Unread:
    """A message of this capability that a mempool node has no use for; `size` is its payload's."""

    name: str
    size: int


Message: TypeAlias = (
    Status
    | Transactions
    | NewPooledTransactionHashes
    | GetPooledTransactions
    | PooledTransactions
    | GetBlockHeaders
    | BlockHeaders
    | GetBlockBodies
    | BlockBodies
    | GetReceipts
    | Receipts
    | BlockRangeUpdate
    | GetBlockAccessLists
    | BlockAccessLists
    | Unread
)


def message_name(message: Message) -> str:
    """Return a message's name in the protocol: one of a closed set, whatever peers send."""
    return message.name if isinstance(message, Unread) else type(message).__name__
