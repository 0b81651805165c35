"""Records to events."""

from collections.abc import Callable
from struct import error as StructError
from typing import TypeAlias

from mev_dagster.errors import LogCorrupt
from mev_dagster.events.encoding import STATE_NUMBERS
from mev_dagster.events.record import (
    ANNOUNCED,
    BLOCK,
    HAS_SIZE,
    HAS_TYPE,
    INCLUDED,
    NUMBER,
    REJECTED,
    STATUS,
    SYNTHETIC,
    HeaderFields,
    RawEvent,
)
from mev_dagster.events.types import (
    BlockReverted,
    BlockSeen,
    Event,
    EventKind,
    Lane,
    LaneStatus,
    TxBody,
    TxIncluded,
    TxRejected,
    TxReplaced,
    TxSeen,
)

# seq, wall_ns, mono_ns, lane, source: what every event begins with
Stamp: TypeAlias = tuple[int, int, int, Lane, str]

_STATES = {number: state for state, number in STATE_NUMBERS.items()}
_LANES = {int(lane): lane for lane in Lane}
_MAX_SOURCES = 4096
_SOURCES: dict[bytes, str] = {}


def decode(raw: RawEvent) -> Event:
    """Return the event of a raw record; `LogCorrupt` when its fields make no event."""
    place = len(raw.tail) - raw.source_len
    if place < 0:
        raise LogCorrupt(f"event {raw.seq}: record shorter than its source name")
    return decode_parts(raw[:-1], raw.tail[:place], raw.tail[place:])


def decode_parts(header: HeaderFields, payload: bytes, source: bytes) -> Event:
    """Return the event of a record in parts; `LogCorrupt` when they make no event."""
    _, _, seq, wall_ns, mono_ns, kind, lane, flags, _, subject = header
    try:
        name = _SOURCES.get(source) or _remember(source)
        return _DECODERS[kind]((seq, wall_ns, mono_ns, _LANES[lane], name), subject, flags, payload)
    except KeyError as cause:
        raise LogCorrupt(f"event {seq}: kind {kind} on lane {lane}: {cause} is unknown") from cause
    except (StructError, ValueError) as cause:
        raise LogCorrupt(f"event {seq}: {EventKind(kind).name} does not parse: {cause}") from cause


def _remember(source: bytes) -> str:
    """Return a source's name decoded, remembered: there are a handful, and each event has one."""
    if len(_SOURCES) >= _MAX_SOURCES:
        _SOURCES.clear()
    name = _SOURCES[source] = source.decode()
    return name


def _decode_seen(stamp: Stamp, subject: bytes, flags: int, payload: bytes) -> Event:
    announced_type, announced_size = ANNOUNCED.unpack_from(payload)
    return TxSeen(
        *stamp,
        subject,
        payload[ANNOUNCED.size :].decode(),
        announced_type if flags & HAS_TYPE else None,
        announced_size if flags & HAS_SIZE else None,
        bool(flags & SYNTHETIC),
    )


def _decode_body(stamp: Stamp, subject: bytes, flags: int, payload: bytes) -> Event:
    return TxBody(*stamp, subject, payload, bool(flags & SYNTHETIC))


def _decode_rejected(stamp: Stamp, subject: bytes, flags: int, payload: bytes) -> Event:
    reason_len, detail_len = REJECTED.unpack_from(payload)
    reason_end = REJECTED.size + reason_len
    detail_end = reason_end + detail_len
    if detail_end > len(payload):
        raise ValueError("texts longer than the record")
    return TxRejected(
        *stamp,
        subject,
        payload[REJECTED.size : reason_end].decode(),
        payload[reason_end:detail_end].decode(),
        payload[detail_end:],
    )


def _decode_block(stamp: Stamp, subject: bytes, flags: int, payload: bytes) -> Event:
    number, parent_hash, count = BLOCK.unpack_from(payload)
    end = BLOCK.size + 32 * count
    if end > len(payload):
        raise ValueError("more transaction hashes than the record holds")
    hashes = tuple(payload[at : at + 32] for at in range(BLOCK.size, end, 32))
    return BlockSeen(*stamp, number, subject, parent_hash, payload[end:], hashes)


def _decode_reverted(stamp: Stamp, subject: bytes, flags: int, payload: bytes) -> Event:
    (number,) = NUMBER.unpack(payload)
    return BlockReverted(*stamp, number, subject)


def _decode_included(stamp: Stamp, subject: bytes, flags: int, payload: bytes) -> Event:
    number, block_hash, index = INCLUDED.unpack(payload)
    return TxIncluded(*stamp, subject, number, block_hash, index)


def _decode_replaced(stamp: Stamp, subject: bytes, flags: int, payload: bytes) -> Event:
    if len(payload) != 32:
        raise ValueError(f"a hash of {len(payload)} bytes")
    return TxReplaced(*stamp, payload, subject)


def _decode_status(stamp: Stamp, subject: bytes, flags: int, payload: bytes) -> Event:
    state, count = STATUS.unpack_from(payload)
    return LaneStatus(*stamp, _STATES[state], payload[STATUS.size :].decode(), count)


_DECODERS: dict[int, Callable[[Stamp, bytes, int, bytes], Event]] = {
    EventKind.TX_SEEN: _decode_seen,
    EventKind.TX_BODY: _decode_body,
    EventKind.TX_REJECTED: _decode_rejected,
    EventKind.BLOCK_SEEN: _decode_block,
    EventKind.BLOCK_REVERTED: _decode_reverted,
    EventKind.TX_INCLUDED: _decode_included,
    EventKind.TX_REPLACED: _decode_replaced,
    EventKind.LANE_STATUS: _decode_status,
}
