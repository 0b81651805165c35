"""Many records at once, as columns over the bytes they came in: the fast way out of the log.

The headers of a batch are gathered by numpy in one step; payloads stay where they are until asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mev_dagster.errors import LogCorrupt
from mev_dagster.events.decoding import decode_parts
from mev_dagster.events.record import PREFIX_SIZE, RECORD, RawEvent
from mev_dagster.events.types import Event

HEADER_TYPE = np.dtype(
    [
        ("crc", "<u4"),
        ("length", "<u4"),
        ("seq", "<u8"),
        ("wall_ns", "<i8"),
        ("mono_ns", "<i8"),
        ("kind", "u1"),
        ("lane", "u1"),
        ("flags", "u1"),
        ("source_len", "u1"),
        ("subject", "V32"),
    ]
)

# numpy copies a structured item field by field, an opaque one of the same size ten times as fast.
_OPAQUE_TYPE = np.dtype(("V", HEADER_TYPE.itemsize))


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Checked records: `headers` has a field per header column, `offsets` says where each record starts."""

    buffer: bytes
    offsets: NDArray[np.int64]
    headers: NDArray[Any]

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def payload_starts(self) -> NDArray[np.int64]:
        """Return where each record's payload begins in `buffer`."""
        return self.offsets + RECORD.size

    @property
    def payload_ends(self) -> NDArray[np.int64]:
        """Return where each record's payload ends, and its source begins."""
        ends: NDArray[np.int64] = self.ends - self.headers["source_len"]
        return ends

    @property
    def ends(self) -> NDArray[np.int64]:
        """Return where each record ends in `buffer`."""
        ends: NDArray[np.int64] = self.offsets + self.headers["length"] + PREFIX_SIZE
        return ends

    def piece(self, start: int, end: int) -> "RawBatch":
        """Return the records from index `start` up to `end`."""
        return RawBatch(self.buffer, self.offsets[start:end], self.headers[start:end])

    def select(self, mask: NDArray[np.bool_]) -> "RawBatch":
        """Return the records where `mask` is true."""
        return RawBatch(self.buffer, self.offsets[mask], _take(self.headers, mask))

    def select_places(self, places: NDArray[np.intp]) -> "RawBatch":
        """Return the records at these places, in their order."""
        return RawBatch(self.buffer, self.offsets[places], _take(self.headers, places))

    def split(self, seq: int) -> tuple["RawBatch", "RawBatch"]:
        """Return the records before event `seq`, and those from it on."""
        place = int(np.searchsorted(self.headers["seq"], np.uint64(seq)))
        return self.piece(0, place), self.piece(place, len(self))

    @property
    def record_bytes(self) -> memoryview:
        """Return the bytes of consecutive records."""
        if not len(self):
            return memoryview(b"")
        return memoryview(self.buffer)[int(self.offsets[0]) : int(self.ends[-1])]

    def of_kind(self, kind: int) -> "RawBatch":
        """Return the records of one event kind."""
        return self.select(self.headers["kind"] == kind)

    def subjects(self) -> list[bytes]:
        """Return the hash each event is about."""
        found: list[bytes] = self.headers["subject"].tolist()
        return found

    def payloads(self) -> list[bytes]:
        """Return each record's payload; of a `TxBody` that is the raw transaction."""
        buffer = self.buffer
        spans = zip(self.payload_starts.tolist(), self.payload_ends.tolist(), strict=True)
        return [buffer[start:end] for start, end in spans]

    def raw_events(self) -> Iterator[RawEvent]:
        """Yield the records one by one."""
        buffer = self.buffer
        spans = zip(self.payload_starts.tolist(), self.ends.tolist(), strict=True)
        for header, (start, end) in zip(self.headers.tolist(), spans, strict=True):
            yield RawEvent._make((*header, buffer[start:end]))

    def events(self) -> Iterator[Event]:
        """Yield the records decoded."""
        buffer = self.buffer
        places = zip(
            self.payload_starts.tolist(), self.payload_ends.tolist(), self.ends.tolist(), strict=True
        )
        for header, (start, payload_end, end) in zip(self.headers.tolist(), places, strict=True):
            if payload_end < start:
                raise LogCorrupt(f"event {header[2]}: record shorter than its source name")
            yield decode_parts(header, buffer[start:payload_end], buffer[payload_end:end])


def gather(buffer: bytes, offsets: NDArray[np.int64]) -> RawBatch:
    """Return the records at `offsets`; each of them must be known to lie whole within `buffer`."""
    rows = max(0, len(buffer) - RECORD.size + 1)
    every_place: NDArray[Any] = np.ndarray((rows,), _OPAQUE_TYPE, buffer, strides=(1,))
    return RawBatch(buffer, offsets, every_place[offsets].view(HEADER_TYPE))


def _take(headers: NDArray[Any], which: NDArray[np.bool_ | np.intp]) -> NDArray[Any]:
    taken: NDArray[Any] = headers.view(_OPAQUE_TYPE)[which].view(HEADER_TYPE)
    return taken
