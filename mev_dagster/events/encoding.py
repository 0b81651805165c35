"""Events to records."""

from collections.abc import Callable
from struct import Struct
from struct import error as StructError
from zlib import crc32

from mev_dagster.errors import InputError
from mev_dagster.events.record import (
    ANNOUNCED,
    BLOCK,
    HAS_SIZE,
    HAS_TYPE,
    HEADER,
    INCLUDED,
    MAX_RECORD,
    MIN_LENGTH,
    NUMBER,
    REJECTED,
    STATUS,
    SYNTHETIC,
)
from mev_dagster.events.types import (
    BlockReverted,
    BlockSeen,
    Event,
    EventKind,
    LaneState,
    LaneStatus,
    TxBody,
    TxIncluded,
    TxRejected,
    TxReplaced,
    TxSeen,
)

MISFITS = (StructError, ValueError, KeyError, AttributeError, TypeError)

# Wire numbers of lane states; never reused.
STATE_NUMBERS = {
    LaneState.CONNECTED: 1,
    LaneState.DISCONNECTED: 2,
    LaneState.GAP: 3,
    LaneState.RESYNCED: 4,
    LaneState.DROPPED: 5,
}

_NO_SUBJECT = bytes(32)
_pack_crc = Struct("<I").pack
_pack_header = HEADER.pack
_SEEN = Struct(HEADER.format + ANNOUNCED.format.removeprefix("<"))
_SEEN_LENGTH = MIN_LENGTH + ANNOUNCED.size
_pack_seen = _SEEN.pack
# A plain integer packs faster than an enum's member.
_TX_SEEN = int(EventKind.TX_SEEN)
_TX_BODY = int(EventKind.TX_BODY)
_MAX_SOURCES = 4096
_SOURCES: dict[str, bytes] = {}


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


def _require_hash(value: bytes) -> bytes:
    """Return a hash; `struct` would pad or cut one of another length without a word."""
    if len(value) != 32:
        raise ValueError(f"a hash of {len(value)} bytes")
    return value


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


def _encode_rejected(event: TxRejected, seq: int) -> bytes:
    reason, detail = event.reason.encode(), event.detail.encode()
    payload = REJECTED.pack(len(reason), len(detail)) + reason + detail + event.raw
    return _record(event, seq, EventKind.TX_REJECTED, event.digest, payload)


def _encode_block(event: BlockSeen, seq: int) -> bytes:
    hashes = b"".join(map(_require_hash, event.tx_hashes))
    fixed = BLOCK.pack(event.number, _require_hash(event.parent_hash), len(event.tx_hashes))
    return _record(event, seq, EventKind.BLOCK_SEEN, event.block_hash, fixed + hashes + event.header_rlp)


def _encode_reverted(event: BlockReverted, seq: int) -> bytes:
    return _record(event, seq, EventKind.BLOCK_REVERTED, event.block_hash, NUMBER.pack(event.number))


def _encode_included(event: TxIncluded, seq: int) -> bytes:
    payload = INCLUDED.pack(event.number, _require_hash(event.block_hash), event.index)
    return _record(event, seq, EventKind.TX_INCLUDED, event.tx_hash, payload)


def _encode_replaced(event: TxReplaced, seq: int) -> bytes:
    return _record(event, seq, EventKind.TX_REPLACED, event.new_hash, _require_hash(event.old_hash))


def _encode_status(event: LaneStatus, seq: int) -> bytes:
    payload = STATUS.pack(STATE_NUMBERS[event.state], event.count) + event.reason.encode()
    return _record(event, seq, EventKind.LANE_STATUS, _NO_SUBJECT, payload)


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
