"""The binary form of each event: one fixed header, the source, then what the kind adds.

    length u32 | crc32 u32 | seq u64 | wall_ns i64 | mono_ns i64 | kind u8 | lane u8 | flags u8 |
    source_len u8 | subject 32 bytes | source | payload                             (little endian)

`length` counts what follows the crc; the crc covers the same bytes. The subject is the hash an event
is about: the transaction's, or the block's. It sits at a fixed place so that a scan by hash or by kind
never has to parse a payload.
"""

from collections.abc import Callable
from struct import Struct
from struct import error as StructError
from typing import NamedTuple
from zlib import crc32

from mev_dagster.errors import InputError, LogCorrupt
from mev_dagster.events.types import (
    BlockReverted,
    BlockSeen,
    Event,
    EventKind,
    Lane,
    LaneState,
    LaneStatus,
    TxBody,
    TxIncluded,
    TxRejected,
    TxReplaced,
    TxSeen,
)

SCHEMA_VERSION = 1

PREFIX = Struct("<II")
HEADER = Struct("<QqqBBBB32s")
RECORD = Struct("<IIQqqBBBB32s")
MIN_LENGTH = HEADER.size
# A devp2p message is at most 10 MiB, a block of the largest gas limit far less than that in hashes.
MAX_LENGTH = 16 * 1024 * 1024

SYNTHETIC = 1
HAS_TYPE = 2
HAS_SIZE = 4

_NO_SUBJECT = bytes(32)
_ANNOUNCED = Struct("<BI")
_REJECTED = Struct("<HI")
_BLOCK = Struct("<Q32sI")
_NUMBER = Struct("<Q")
_INCLUDED = Struct("<Q32sI")
_STATUS = Struct("<BQ")

# Wire numbers of lane states; never reused.
_STATE_NUMBER = {
    LaneState.CONNECTED: 1,
    LaneState.DISCONNECTED: 2,
    LaneState.GAP: 3,
    LaneState.RESYNCED: 4,
    LaneState.DROPPED: 5,
}
_STATE_OF = {number: state for state, number in _STATE_NUMBER.items()}
_LANE_OF = {int(lane): lane for lane in Lane}


class RawEvent(NamedTuple):
    """An event with its payload unparsed; what bulk readers work on."""

    length: int
    crc: int
    seq: int
    wall_ns: int
    mono_ns: int
    kind: int
    lane: int
    flags: int
    source_len: int
    subject: bytes
    tail: bytes

    @property
    def source(self) -> str:
        """Return the source's name."""
        return self.tail[: self.source_len].decode()

    @property
    def payload(self) -> bytes:
        """Return what the kind adds; for a `TxBody` that is the raw transaction."""
        return self.tail[self.source_len :]


def encode(event: Event, seq: int) -> bytes:
    """Return the record of `event` under sequence number `seq`; the event's own `seq` is not read."""
    encoder = _ENCODERS.get(type(event))
    if encoder is None:
        raise InputError(f"expected an event, found {type(event).__name__}")
    kind, parts = encoder
    try:
        subject, flags, payload = parts(event)
        source = event.source.encode()
        if len(subject) != 32:
            raise InputError(f"{type(event).__name__}: expected a hash of 32 bytes, found {len(subject)}")
        body = (
            HEADER.pack(seq, event.wall_ns, event.mono_ns, kind, event.lane, flags, len(source), subject)
            + source
            + payload
        )
    except (StructError, UnicodeEncodeError, AttributeError, TypeError) as cause:
        raise InputError(f"{type(event).__name__}: a field does not fit its record: {cause}") from cause
    if len(body) > MAX_LENGTH:
        raise InputError(f"{type(event).__name__}: record of {len(body)} bytes, the limit is {MAX_LENGTH}")
    return PREFIX.pack(len(body), crc32(body)) + body


def raw_at(buffer: bytes, offset: int) -> RawEvent:
    """Return the record at `offset`, its checksum not checked; the caller knows the bytes are there."""
    header = RECORD.unpack_from(buffer, offset)
    tail = buffer[offset + RECORD.size : offset + PREFIX.size + header[0]]
    return RawEvent._make((*header, tail))


def length_at(buffer: bytes, offset: int, end: int) -> int:
    """Return the whole size of the checked record at `offset`, or 0 when no whole, intact record is there."""
    if end - offset < RECORD.size:
        return 0
    length, crc = PREFIX.unpack_from(buffer, offset)
    start = offset + PREFIX.size
    if not MIN_LENGTH <= length <= MAX_LENGTH or length > end - start:
        return 0
    if crc32(memoryview(buffer)[start : start + length]) != crc:
        return 0
    return int(PREFIX.size + length)


def decode(raw: RawEvent) -> Event:
    """Return the event of a raw record; `LogCorrupt` when its fields make no event."""
    decoder = _DECODERS.get(raw.kind)
    lane = _LANE_OF.get(raw.lane)
    if decoder is None or lane is None:
        raise LogCorrupt(f"event {raw.seq}: unknown kind {raw.kind} or lane {raw.lane}")
    if len(raw.tail) < raw.source_len:
        raise LogCorrupt(f"event {raw.seq}: record shorter than its source name")
    try:
        return decoder(raw, lane, raw.source, raw.payload)
    except (StructError, UnicodeDecodeError, ValueError, KeyError) as cause:
        raise LogCorrupt(f"event {raw.seq}: {EventKind(raw.kind).name} does not parse: {cause}") from cause


def _put_seen(event: TxSeen) -> tuple[bytes, int, bytes]:
    flags = SYNTHETIC if event.synthetic else 0
    if event.announced_type is not None:
        flags |= HAS_TYPE
    if event.announced_size is not None:
        flags |= HAS_SIZE
    announced = _ANNOUNCED.pack(event.announced_type or 0, event.announced_size or 0)
    return event.tx_hash, flags, announced + event.peer.encode()


def _get_seen(raw: RawEvent, lane: Lane, source: str, payload: bytes) -> Event:
    announced_type, announced_size = _ANNOUNCED.unpack_from(payload)
    return TxSeen(
        raw.seq,
        raw.wall_ns,
        raw.mono_ns,
        lane,
        source,
        raw.subject,
        payload[_ANNOUNCED.size :].decode(),
        announced_type if raw.flags & HAS_TYPE else None,
        announced_size if raw.flags & HAS_SIZE else None,
        bool(raw.flags & SYNTHETIC),
    )


def _put_body(event: TxBody) -> tuple[bytes, int, bytes]:
    return event.tx_hash, SYNTHETIC if event.synthetic else 0, event.raw


def _get_body(raw: RawEvent, lane: Lane, source: str, payload: bytes) -> Event:
    synthetic = bool(raw.flags & SYNTHETIC)
    return TxBody(raw.seq, raw.wall_ns, raw.mono_ns, lane, source, raw.subject, payload, synthetic)


def _put_rejected(event: TxRejected) -> tuple[bytes, int, bytes]:
    reason, detail = event.reason.encode(), event.detail.encode()
    return event.digest, 0, _REJECTED.pack(len(reason), len(detail)) + reason + detail + event.raw


def _get_rejected(raw: RawEvent, lane: Lane, source: str, payload: bytes) -> Event:
    reason_len, detail_len = _REJECTED.unpack_from(payload)
    reason_end = _REJECTED.size + reason_len
    detail_end = reason_end + detail_len
    if detail_end > len(payload):
        raise ValueError("texts longer than the record")
    return TxRejected(
        raw.seq,
        raw.wall_ns,
        raw.mono_ns,
        lane,
        source,
        raw.subject,
        payload[_REJECTED.size : reason_end].decode(),
        payload[reason_end:detail_end].decode(),
        payload[detail_end:],
    )


def _put_block(event: BlockSeen) -> tuple[bytes, int, bytes]:
    _require_hashes(event.parent_hash, *event.tx_hashes)
    fixed = _BLOCK.pack(event.number, event.parent_hash, len(event.tx_hashes))
    return event.block_hash, 0, fixed + b"".join(event.tx_hashes) + event.header_rlp


def _get_block(raw: RawEvent, lane: Lane, source: str, payload: bytes) -> Event:
    number, parent_hash, count = _BLOCK.unpack_from(payload)
    end = _BLOCK.size + 32 * count
    if end > len(payload):
        raise ValueError("more transaction hashes than the record holds")
    return BlockSeen(
        raw.seq,
        raw.wall_ns,
        raw.mono_ns,
        lane,
        source,
        number,
        raw.subject,
        parent_hash,
        payload[end:],
        tuple(payload[at : at + 32] for at in range(_BLOCK.size, end, 32)),
    )


def _put_reverted(event: BlockReverted) -> tuple[bytes, int, bytes]:
    return event.block_hash, 0, _NUMBER.pack(event.number)


def _get_reverted(raw: RawEvent, lane: Lane, source: str, payload: bytes) -> Event:
    (number,) = _NUMBER.unpack(payload)
    return BlockReverted(raw.seq, raw.wall_ns, raw.mono_ns, lane, source, number, raw.subject)


def _put_included(event: TxIncluded) -> tuple[bytes, int, bytes]:
    _require_hashes(event.block_hash)
    return event.tx_hash, 0, _INCLUDED.pack(event.number, event.block_hash, event.index)


def _get_included(raw: RawEvent, lane: Lane, source: str, payload: bytes) -> Event:
    number, block_hash, index = _INCLUDED.unpack(payload)
    return TxIncluded(raw.seq, raw.wall_ns, raw.mono_ns, lane, source, raw.subject, number, block_hash, index)


def _put_replaced(event: TxReplaced) -> tuple[bytes, int, bytes]:
    _require_hashes(event.old_hash)
    return event.new_hash, 0, event.old_hash


def _get_replaced(raw: RawEvent, lane: Lane, source: str, payload: bytes) -> Event:
    if len(payload) != 32:
        raise ValueError(f"a hash of {len(payload)} bytes")
    return TxReplaced(raw.seq, raw.wall_ns, raw.mono_ns, lane, source, payload, raw.subject)


def _put_status(event: LaneStatus) -> tuple[bytes, int, bytes]:
    fixed = _STATUS.pack(_STATE_NUMBER[event.state], event.count)
    return _NO_SUBJECT, 0, fixed + event.reason.encode()


def _get_status(raw: RawEvent, lane: Lane, source: str, payload: bytes) -> Event:
    state, count = _STATUS.unpack_from(payload)
    reason = payload[_STATUS.size :].decode()
    return LaneStatus(raw.seq, raw.wall_ns, raw.mono_ns, lane, source, _STATE_OF[state], reason, count)


def _require_hashes(*hashes: bytes) -> None:
    for value in hashes:
        if len(value) != 32:
            raise InputError(f"expected a hash of 32 bytes, found {len(value)}")


_ENCODERS: dict[type, tuple[int, Callable[..., tuple[bytes, int, bytes]]]] = {
    TxSeen: (EventKind.TX_SEEN, _put_seen),
    TxBody: (EventKind.TX_BODY, _put_body),
    TxRejected: (EventKind.TX_REJECTED, _put_rejected),
    BlockSeen: (EventKind.BLOCK_SEEN, _put_block),
    BlockReverted: (EventKind.BLOCK_REVERTED, _put_reverted),
    TxIncluded: (EventKind.TX_INCLUDED, _put_included),
    TxReplaced: (EventKind.TX_REPLACED, _put_replaced),
    LaneStatus: (EventKind.LANE_STATUS, _put_status),
}

_DECODERS: dict[int, Callable[[RawEvent, Lane, str, bytes], Event]] = {
    EventKind.TX_SEEN: _get_seen,
    EventKind.TX_BODY: _get_body,
    EventKind.TX_REJECTED: _get_rejected,
    EventKind.BLOCK_SEEN: _get_block,
    EventKind.BLOCK_REVERTED: _get_reverted,
    EventKind.TX_INCLUDED: _get_included,
    EventKind.TX_REPLACED: _get_replaced,
    EventKind.LANE_STATUS: _get_status,
}
