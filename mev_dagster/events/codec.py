"""The binary form of each event: one fixed header, what the kind adds, the source.

    crc32 u32 | length u32 | seq u64 | wall_ns i64 | mono_ns i64 | kind u8 | lane u8 | flags u8 |
    source_len u8 | subject 32 bytes | payload | source                             (little endian)

The crc covers everything behind it; `length` counts what is behind itself. The subject is the hash an
event is about: the transaction's, or the block's. It sits at a fixed place so that a scan by hash or by
kind never has to parse a payload.
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

CRC_SIZE = 4
PREFIX = Struct("<II")  # crc and length
PREFIX_SIZE = PREFIX.size
HEADER = Struct("<IQqqBBBB32s")  # from the length on
RECORD = Struct("<IIQqqBBBB32s")
MIN_LENGTH = RECORD.size - PREFIX_SIZE
# A devp2p message is at most 10 MiB, a block of the largest gas limit far less than that in hashes.
MAX_RECORD = 16 * 1024 * 1024
MISFITS = (StructError, ValueError, KeyError, AttributeError, TypeError)

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

_pack_crc = Struct("<I").pack
_pack_header = HEADER.pack
_SEEN = Struct("<IQqqBBBB32sBI")  # the header, then announced type and size
_SEEN_LENGTH = _SEEN.size - 4
_pack_seen = _SEEN.pack
# A plain integer packs faster than an enum's member.
_TX_SEEN = int(EventKind.TX_SEEN)
_TX_BODY = int(EventKind.TX_BODY)
_MAX_SOURCES = 4096
_SOURCES: dict[str, bytes] = {}


class RawEvent(NamedTuple):
    """An event with its payload unparsed; what bulk readers work on."""

    crc: int
    length: int
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
        return self.tail[len(self.tail) - self.source_len :].decode()

    @property
    def payload(self) -> bytes:
        """Return what the kind adds; for a `TxBody` that is the raw transaction."""
        return self.tail[: len(self.tail) - self.source_len]


def encode(event: Event, seq: int) -> bytes:
    """Return the record of `event` under sequence number `seq`; the event's own `seq` is not read."""
    try:
        record = ENCODERS[type(event)](event, seq)
    except MISFITS as cause:
        raise misfit(event, cause) from cause
    if len(record) > MAX_RECORD:
        raise too_large(event, len(record))
    return record


def misfit(event: object, cause: Exception) -> InputError:
    """Return the error for an event that an encoder refused with one of `MISFITS`."""
    if type(event) not in ENCODERS:
        return InputError(f"expected an event, found {event!r:.80}")
    return InputError(f"{type(event).__name__}: a field does not fit its record: {cause}")


def too_large(event: object, size: int) -> InputError:
    """Return the error for an event whose record would be larger than a reader accepts."""
    return InputError(f"{type(event).__name__}: a record of {size} bytes, the limit is {MAX_RECORD}")


def _record(event: Event, seq: int, kind: int, subject: bytes, payload: bytes) -> bytes:
    _require_hash(subject)
    source = _SOURCES.get(event.source) or _remember(event.source)
    length = MIN_LENGTH + len(source) + len(payload)
    body = (
        _pack_header(length, seq, event.wall_ns, event.mono_ns, kind, event.lane, 0, len(source), subject)
        + payload
        + source
    )
    return _pack_crc(crc32(body)) + body


def _remember(name: str) -> bytes:
    """Return a source's name encoded, remembered: there are a handful, and each event has one."""
    if len(_SOURCES) >= _MAX_SOURCES:
        _SOURCES.clear()
    encoded = _SOURCES[name] = name.encode()
    return encoded


def raw_at(buffer: bytes, offset: int) -> RawEvent:
    """Return the record at `offset`, its checksum not checked; the caller knows the bytes are there."""
    header = RECORD.unpack_from(buffer, offset)
    tail = buffer[offset + RECORD.size : offset + PREFIX_SIZE + header[1]]
    return RawEvent._make((*header, tail))


def length_at(buffer: bytes, offset: int, end: int) -> int:
    """Return the whole size of the checked record at `offset`, or 0 when no whole, intact record is there."""
    if end - offset < RECORD.size:
        return 0
    crc, length = PREFIX.unpack_from(buffer, offset)
    size = PREFIX_SIZE + int(length)
    if length < MIN_LENGTH or size > MAX_RECORD or size > end - offset:
        return 0
    if crc32(memoryview(buffer)[offset + CRC_SIZE : offset + size]) != crc:
        return 0
    return size


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


def _encode_seen(event: TxSeen, seq: int) -> bytes:
    # Sightings and bodies are nearly all of a log: they are packed here, without a detour.
    source = _SOURCES.get(event.source) or _remember(event.source)
    tail = event.peer.encode() + source
    flags = SYNTHETIC if event.synthetic else 0
    if (announced_type := event.announced_type) is not None:
        flags |= HAS_TYPE
    if (announced_size := event.announced_size) is not None:
        flags |= HAS_SIZE
    body = (
        _pack_seen(
            _SEEN_LENGTH + len(tail),
            seq,
            event.wall_ns,
            event.mono_ns,
            _TX_SEEN,
            event.lane,
            flags,
            len(source),
            _require_hash(event.tx_hash),
            announced_type or 0,
            announced_size or 0,
        )
        + tail
    )
    return _pack_crc(crc32(body)) + body


def _decode_seen(raw: RawEvent, lane: Lane, source: str, payload: bytes) -> Event:
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


def _encode_body(event: TxBody, seq: int) -> bytes:
    source = _SOURCES.get(event.source) or _remember(event.source)
    raw = event.raw
    body = (
        _pack_header(
            MIN_LENGTH + len(source) + len(raw),
            seq,
            event.wall_ns,
            event.mono_ns,
            _TX_BODY,
            event.lane,
            SYNTHETIC if event.synthetic else 0,
            len(source),
            _require_hash(event.tx_hash),
        )
        + raw
        + source
    )
    return _pack_crc(crc32(body)) + body


def _decode_body(raw: RawEvent, lane: Lane, source: str, payload: bytes) -> Event:
    synthetic = bool(raw.flags & SYNTHETIC)
    return TxBody(raw.seq, raw.wall_ns, raw.mono_ns, lane, source, raw.subject, payload, synthetic)


def _encode_rejected(event: TxRejected, seq: int) -> bytes:
    reason, detail = event.reason.encode(), event.detail.encode()
    payload = _REJECTED.pack(len(reason), len(detail)) + reason + detail + event.raw
    return _record(event, seq, EventKind.TX_REJECTED, event.digest, payload)


def _decode_rejected(raw: RawEvent, lane: Lane, source: str, payload: bytes) -> Event:
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


def _encode_block(event: BlockSeen, seq: int) -> bytes:
    hashes = b"".join(map(_require_hash, event.tx_hashes))
    fixed = _BLOCK.pack(event.number, _require_hash(event.parent_hash), len(event.tx_hashes))
    return _record(event, seq, EventKind.BLOCK_SEEN, event.block_hash, fixed + hashes + event.header_rlp)


def _decode_block(raw: RawEvent, lane: Lane, source: str, payload: bytes) -> Event:
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


def _encode_reverted(event: BlockReverted, seq: int) -> bytes:
    return _record(event, seq, EventKind.BLOCK_REVERTED, event.block_hash, _NUMBER.pack(event.number))


def _decode_reverted(raw: RawEvent, lane: Lane, source: str, payload: bytes) -> Event:
    (number,) = _NUMBER.unpack(payload)
    return BlockReverted(raw.seq, raw.wall_ns, raw.mono_ns, lane, source, number, raw.subject)


def _encode_included(event: TxIncluded, seq: int) -> bytes:
    payload = _INCLUDED.pack(event.number, _require_hash(event.block_hash), event.index)
    return _record(event, seq, EventKind.TX_INCLUDED, event.tx_hash, payload)


def _decode_included(raw: RawEvent, lane: Lane, source: str, payload: bytes) -> Event:
    number, block_hash, index = _INCLUDED.unpack(payload)
    return TxIncluded(raw.seq, raw.wall_ns, raw.mono_ns, lane, source, raw.subject, number, block_hash, index)


def _encode_replaced(event: TxReplaced, seq: int) -> bytes:
    return _record(event, seq, EventKind.TX_REPLACED, event.new_hash, _require_hash(event.old_hash))


def _decode_replaced(raw: RawEvent, lane: Lane, source: str, payload: bytes) -> Event:
    if len(payload) != 32:
        raise ValueError(f"a hash of {len(payload)} bytes")
    return TxReplaced(raw.seq, raw.wall_ns, raw.mono_ns, lane, source, payload, raw.subject)


def _encode_status(event: LaneStatus, seq: int) -> bytes:
    payload = _STATUS.pack(_STATE_NUMBER[event.state], event.count) + event.reason.encode()
    return _record(event, seq, EventKind.LANE_STATUS, _NO_SUBJECT, payload)


def _decode_status(raw: RawEvent, lane: Lane, source: str, payload: bytes) -> Event:
    state, count = _STATUS.unpack_from(payload)
    reason = payload[_STATUS.size :].decode()
    return LaneStatus(raw.seq, raw.wall_ns, raw.mono_ns, lane, source, _STATE_OF[state], reason, count)


def _require_hash(value: bytes) -> bytes:
    """Return a hash; `struct` would pad or cut one of another length without a word."""
    if len(value) != 32:
        raise ValueError(f"a hash of {len(value)} bytes")
    return value


# For the writer's inner loop, which saves itself the detour through `encode`.
ENCODERS: dict[type, Callable[..., bytes]] = {
    TxSeen: _encode_seen,
    TxBody: _encode_body,
    TxRejected: _encode_rejected,
    BlockSeen: _encode_block,
    BlockReverted: _encode_reverted,
    TxIncluded: _encode_included,
    TxReplaced: _encode_replaced,
    LaneStatus: _encode_status,
}

_DECODERS: dict[int, Callable[[RawEvent, Lane, str, bytes], Event]] = {
    EventKind.TX_SEEN: _decode_seen,
    EventKind.TX_BODY: _decode_body,
    EventKind.TX_REJECTED: _decode_rejected,
    EventKind.BLOCK_SEEN: _decode_block,
    EventKind.BLOCK_REVERTED: _decode_reverted,
    EventKind.TX_INCLUDED: _decode_included,
    EventKind.TX_REPLACED: _decode_replaced,
    EventKind.LANE_STATUS: _decode_status,
}
