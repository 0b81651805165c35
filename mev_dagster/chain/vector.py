"""Find the fields of many transactions of one type at once, with numpy.

One step reads the same field of every transaction: its prefix byte says where the content starts and how
long it is, so a whole layout is walked in a few dozen array operations. A row is *plain* when all its
fields have the usual encodings and keep every rule of `envelope`; any other row, wrong or merely unusual, is
left to that module, which has the last word. So this one may give up, but must never accept what the other
refuses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mev_dagster.chain.ecdsa import SECP256K1_HALF_N, SECP256K1_N
from mev_dagster.chain.envelope import MAX_NONCE
from mev_dagster.chain.fields import ADDRESS_OR_NONE_FIELD, BYTES_FIELD, LEGACY, LIST_FIELD, SIGNED_FIELDS

Ints: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Words: TypeAlias = npt.NDArray[np.uint8]

_MARGIN = 1024
"""Zero bytes around the batch: no read of a damaged row leaves the buffer before the row is given up."""

_NEVER = 256  # no byte is as large, so a prefix with this bound on the first byte is never plain


def _tables(kind: int) -> tuple[Ints, Ints, Ints]:
    """Return, by prefix byte: bytes before the content, its length, the least canonical first byte."""
    offset, length, least = (np.full(256, fill, np.int64) for fill in (1, 0, _NEVER))
    if kind > 0:
        offset[1:0x80], length[1:0x80], least[1:0x80] = 0, 1, 1
        least[0x80] = 0
        longest = 0x80 + kind
        length[0x81 : longest + 1] = np.arange(1, kind + 1)
        least[0x81 : longest + 1] = 1
        least[0x81] = 0x80
    else:
        length[0x94], least[0x94] = 20, 0
        if kind == ADDRESS_OR_NONE_FIELD:
            least[0x80] = 0
    return offset, length, least


_STRING_TABLES = {
    kind: _tables(kind) for layout in SIGNED_FIELDS for kind, _ in layout if kind not in (0, BYTES_FIELD)
}
_WORD_TABLES = _tables(32)
_V_TABLES = _tables(8)
_Y_PARITY_TABLES = _tables(1)
# Right-aligned in 32 bytes, the last `length` bytes of a window are the number; the mask clears the others.
_KEEP_LAST = np.array([[0] * (32 - length) + [255] * length for length in range(33)], np.uint8)
# Compared by their leading eight bytes; the few that are near the bound are left to `envelope`.
_S_BOUND = SECP256K1_HALF_N >> 192
_R_BOUND = SECP256K1_N >> 192


@dataclass(frozen=True, slots=True)
class FieldPosition:
    """Where one field lies in each row of the buffer."""

    start: Ints
    length: Ints


@dataclass(frozen=True, slots=True)
class PlainRows:
    """The plain rows of one type: which inputs they are, and where everything is."""

    rows: Ints
    fields: dict[str, FieldPosition]
    payload: Ints
    signed_end: Ints
    v: npt.NDArray[np.uint64]
    signatures: Words
    base: Ints
    ends: Ints
    buffer: "Buffer"

    def without(self, indices: Sequence[int]) -> "PlainRows":
        """Return these rows but those."""
        keep = np.ones(len(self.rows), np.bool_)
        keep[list(indices)] = False
        return PlainRows(
            rows=self.rows[keep],
            fields={
                name: FieldPosition(field.start[keep], field.length[keep])
                for name, field in self.fields.items()
            },
            payload=self.payload[keep],
            signed_end=self.signed_end[keep],
            v=self.v[keep],
            signatures=self.signatures[keep],
            base=self.base[keep],
            ends=self.ends[keep],
            buffer=self.buffer,
        )

    def parities(self, kind: int) -> npt.NDArray[np.uint64]:
        """Return the recovery bit of each signature; legacy v is 27 or 35 + 2 * chain id, plus it."""
        return self.v if kind else (self.v - np.uint64(27)) & np.uint64(1)

    def uint64(self, name: str) -> npt.NDArray[np.uint64]:
        """Return an integer of at most eight bytes."""
        return self.buffer.uint64(self.fields[name])

    def uint256(self, name: str) -> Words:
        """Return an integer as 32 little-endian bytes a row."""
        return np.ascontiguousarray(self.buffer.word(self.fields[name])[:, ::-1])

    def spans(self, name: str) -> list[tuple[int, int]]:
        """Return where a field's content lies in each row's own raw bytes."""
        field = self.fields[name]
        starts = field.start - self.base
        return list(zip(starts.tolist(), (starts + field.length).tolist(), strict=True))


class Buffer:
    """A batch of raw transactions end to end, with room around it."""

    def __init__(self, raws: Sequence[bytes]) -> None:
        margin = bytes(_MARGIN)
        self.bytes = np.frombuffer(b"".join((margin, *raws, margin)), np.uint8)
        lengths = np.fromiter(map(len, raws), np.int64, len(raws))
        self.ends = np.cumsum(lengths) + _MARGIN
        self.starts = self.ends - lengths
        self._windows = np.lib.stride_tricks.sliding_window_view(self.bytes, 32)

    def kinds(self) -> Ints:
        """Return the type that each row's first byte names; 255 where it names none."""
        first = self.bytes[self.starts].astype(np.int64)
        kinds = np.where(first >= 0xC0, LEGACY, np.where((first > 0) & (first <= 4), first, 255))
        kinds[self.starts == self.ends] = 255
        return kinds

    def word(self, field: FieldPosition) -> Words:
        """Return a content of at most 32 bytes right-aligned in 32."""
        word: Words = self._windows[field.start + field.length - 32] & _KEEP_LAST[field.length]
        return word

    def content(self, field: FieldPosition, width: int) -> Words:
        """Return the first `width` bytes of a content, whatever follows where it is shorter."""
        return self._windows[field.start][:, :width]

    def uint64(self, field: FieldPosition) -> npt.NDArray[np.uint64]:
        """Return a content of at most eight bytes as a number."""
        return _last_eight(self.word(field))

    def plain_rows(self, rows: Ints, kind: int) -> PlainRows:
        """Return those of `rows`, all of type `kind`, that are plain."""
        walk = _Walk(self, rows, kind)
        fields = {}
        for field_kind, name in SIGNED_FIELDS[kind]:
            if field_kind == LIST_FIELD:
                fields[name] = walk.sized(0xC0)
            elif field_kind == BYTES_FIELD:
                fields[name] = walk.sized(0x80)
            else:
                fields[name] = walk.string(_STRING_TABLES[field_kind])
        signed_end = walk.position
        v_field = walk.string(_Y_PARITY_TABLES if kind else _V_TABLES)
        r_field, s_field = walk.string(_WORD_TABLES), walk.string(_WORD_TABLES)
        plain = walk.plain & (walk.position == walk.ends)

        v = self.uint64(v_field)
        signatures = np.concatenate((self.word(r_field), self.word(s_field)), axis=1)
        r_top, s_top = _first_eight(signatures), _first_eight(signatures[:, 32:])
        plain &= (r_top < _R_BOUND) & (s_top < _S_BOUND)
        plain &= (r_field.length > 0) & (s_field.length > 0)
        plain &= (v <= 1) if kind else ((v >= 35) | (v == 27) | (v == 28))
        plain &= self.uint64(fields["nonce"]) <= MAX_NONCE
        everything = PlainRows(
            rows, fields, walk.payload, signed_end, v, signatures, self.starts[rows], walk.ends, self
        )
        return everything if plain.all() else everything.without(np.flatnonzero(~plain).tolist())


class _Walk:
    """Goes through the rows of one type field by field; `plain` falls where a row is not."""

    def __init__(self, buffer: Buffer, rows: Ints, kind: int) -> None:
        self._bytes = buffer.bytes
        self.ends = buffer.ends[rows]
        self.position = buffer.starts[rows] + (1 if kind else 0)
        self.plain: Flags = np.ones(len(rows), np.bool_)
        envelope = self.sized(0xC0)
        self.plain &= self.position == self.ends
        self.payload = envelope.start
        self.position = np.where(self.plain, self.payload, self.ends)

    def string(self, tables: tuple[Ints, Ints, Ints]) -> FieldPosition:
        """Read a string of at most 32 bytes as its tables describe it."""
        offsets, lengths, least = tables
        prefix = self._bytes[self.position]
        start = self.position + offsets[prefix]
        length = lengths[prefix]
        self.plain &= self._bytes[start] >= least[prefix]
        self.position = start + length
        return FieldPosition(start, length)

    def sized(self, base: int) -> FieldPosition:
        """Read a list (base 0xC0) or a string (0x80) with up to two bytes of length."""
        position = self.position
        prefix = self._bytes[position].astype(np.int64)
        one, two = self._bytes[position + 1].astype(np.int64), self._bytes[position + 2].astype(np.int64)
        length = prefix - base
        start = position + 1
        long_one, long_two = prefix == base + 56, prefix == base + 57
        length = np.where(long_one, one, np.where(long_two, one << 8 | two, length))
        start = start + long_one + 2 * long_two
        plain = (length >= 0) & (prefix <= base + 57) & (~long_one | (one > 55)) & (~long_two | (one > 0))
        if base == 0x80:
            single = prefix < 0x80
            start = np.where(single, position, start)
            length = np.where(single, 1, length)
            plain = (plain | single) & ((prefix != 0x81) | (one >= 0x80))
        stop = start + length
        self.plain &= plain & (stop <= self.ends)
        self.position = np.where(self.plain, stop, self.ends)
        return FieldPosition(np.where(self.plain, start, self.ends), np.where(self.plain, length, 0))


def _first_eight(words: Words) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(words[:, :8]).view(">u8")[:, 0].astype(np.uint64)


def _last_eight(words: Words) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(words[:, 24:]).view(">u8")[:, 0].astype(np.uint64)
