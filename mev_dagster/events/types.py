"""Everything that can happen to the ingest daemon, as values.

`seq` is given by the log writer and grows by one; events handed to the writer carry `seq=-1`.
`wall_ns` is UTC in integer nanoseconds, `mono_ns` a monotonic clock of the same process.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TypeAlias

FROM_BLOCK = "/block"
"""Suffix of a body's source when only its block brought it: nobody could have acted on it before."""


class Lane(IntEnum):
    """Where an event came in."""

    P2P = 1
    RPC = 2
    PRIVATE = 3
    CAPTURE = 4


class EventKind(IntEnum):
    """Wire number of each event type; never reused."""

    TX_SEEN = 1
    TX_BODY = 2
    TX_REJECTED = 3
    BLOCK_SEEN = 4
    BLOCK_REVERTED = 5
    TX_INCLUDED = 6
    TX_REPLACED = 7
    LANE_STATUS = 8


class LaneState(StrEnum):
    """What a lane reports about itself."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    GAP = "gap"
    RESYNCED = "resynced"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class TxSeen:
    """One sighting of a transaction hash by one source."""

    seq: int
    wall_ns: int
    mono_ns: int
    lane: Lane
    source: str
    tx_hash: bytes
    peer: str = ""
    announced_type: int | None = None
    announced_size: int | None = None
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class TxBody:
    """The raw bytes of a transaction as received; sent once per hash."""

    seq: int
    wall_ns: int
    mono_ns: int
    lane: Lane
    source: str
    tx_hash: bytes
    raw: bytes
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class TxRejected:
    """Something offered as a transaction that is not one; `digest` is the hash claimed or of the bytes."""

    seq: int
    wall_ns: int
    mono_ns: int
    lane: Lane
    source: str
    digest: bytes
    reason: str
    detail: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class BlockSeen:
    """A new head: its RLP header and the ordered hashes of its transactions."""

    seq: int
    wall_ns: int
    mono_ns: int
    lane: Lane
    source: str
    number: int
    block_hash: bytes
    parent_hash: bytes
    header_rlp: bytes
    tx_hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class BlockReverted:
    """A block that is no longer canonical."""

    seq: int
    wall_ns: int
    mono_ns: int
    lane: Lane
    source: str
    number: int
    block_hash: bytes


@dataclass(frozen=True, slots=True)
class TxIncluded:
    """A transaction that a canonical block holds at `index`."""

    seq: int
    wall_ns: int
    mono_ns: int
    lane: Lane
    source: str
    tx_hash: bytes
    number: int
    block_hash: bytes
    index: int


@dataclass(frozen=True, slots=True)
class TxReplaced:
    """A pending transaction displaced by another of the same sender and nonce."""

    seq: int
    wall_ns: int
    mono_ns: int
    lane: Lane
    source: str
    old_hash: bytes
    new_hash: bytes


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """A lane connected, disconnected, lost data or caught up; `count` says how many items, where known."""

    seq: int
    wall_ns: int
    mono_ns: int
    lane: Lane
    source: str
    state: LaneState
    reason: str
    count: int = 0


Event: TypeAlias = (
    TxSeen | TxBody | TxRejected | BlockSeen | BlockReverted | TxIncluded | TxReplaced | LaneStatus
)


def source_name(source: str) -> str:
    """Return a source without what follows a slash: the name of a lane that another package brought."""
    return source.partition("/")[0]


def lane_name(lane: Lane) -> str:
    """Return the name of a lane as labels, columns and logs show it."""
    return lane.name.lower()
