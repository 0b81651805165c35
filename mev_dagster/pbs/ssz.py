"""SSZ, the consensus layer's serialisation: encode, decode strictly, merkleize.

Source: consensus-specs `ssz/simple-serialize.md`. A type is a value that describes the wire form; the
containers built from these types are in `schema.py`. Decoding accepts exactly the bytes that encoding
makes: offsets start where the fixed part ends, never go back, and leave no byte unread.
"""
# ruff: noqa: D102 -- what encode, decode and hash_tree_root do is said once, on SszType.

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

from mev_dagster.errors import DecodeError

OFFSET_BYTES = 4
CHUNK_BYTES = 32
MAX_DEPTH = 64


def _zero_hashes() -> tuple[bytes, ...]:
    hashes = [bytes(CHUNK_BYTES)]
    for _ in range(MAX_DEPTH):
        hashes.append(sha256(hashes[-1] * 2).digest())
    return tuple(hashes)


ZERO_HASHES = _zero_hashes()


def merkleize(chunks: bytes, limit: int | None = None) -> bytes:
    """Return the root of 32-byte `chunks`, padded with zero chunks to `limit` (or to their count)."""
    count = len(chunks) // CHUNK_BYTES
    depth = max((count if limit is None else limit) - 1, 0).bit_length()
    if not chunks:
        return ZERO_HASHES[depth]
    layer = chunks
    for level in range(depth):
        if len(layer) % (2 * CHUNK_BYTES):
            layer += ZERO_HASHES[level]
        layer = b"".join(sha256(layer[at : at + 64]).digest() for at in range(0, len(layer), 64))
    return layer


def mix_in_length(root: bytes, length: int) -> bytes:
    """Return the root of a list: its content's root with its length."""
    return sha256(root + length.to_bytes(CHUNK_BYTES, "little")).digest()


def pack(data: bytes) -> bytes:
    """Return `data` padded with zeros to whole chunks."""
    return data + bytes(-len(data) % CHUNK_BYTES)


class SszType(ABC):
    """One wire type. `fixed_bytes` is its size when every value has the same size, else None."""

    fixed_bytes: int | None

    @abstractmethod
    def encode(self, value: Any) -> bytes:
        """Return the serialisation of `value`."""

    @abstractmethod
    def decode(self, data: memoryview, path: str = "") -> Any:
        """Return the value serialised in all of `data`; `path` names the field in errors."""

    @abstractmethod
    def hash_tree_root(self, value: Any) -> bytes:
        """Return the Merkle root of `value`."""


def _expect(condition: bool, reason: str, path: str, detail: str) -> None:
    if not condition:
        raise DecodeError(reason, f"{path or 'value'}: {detail}")


@dataclass(frozen=True, slots=True)
class Uint(SszType):
    """An unsigned little-endian integer of `fixed_bytes` bytes."""

    fixed_bytes: int

    def encode(self, value: int) -> bytes:
        return value.to_bytes(self.fixed_bytes, "little")

    def decode(self, data: memoryview, path: str = "") -> int:
        _expect(
            len(data) == self.fixed_bytes, "ssz_length", path, f"{self.fixed_bytes} bytes, got {len(data)}"
        )
        return int.from_bytes(data, "little")

    def hash_tree_root(self, value: int) -> bytes:
        return value.to_bytes(CHUNK_BYTES, "little")


@dataclass(frozen=True, slots=True)
class ByteVector(SszType):
    """Exactly `fixed_bytes` bytes."""

    fixed_bytes: int

    def encode(self, value: bytes) -> bytes:
        _expect(
            len(value) == self.fixed_bytes, "ssz_length", "", f"{self.fixed_bytes} bytes, got {len(value)}"
        )
        return value

    def decode(self, data: memoryview, path: str = "") -> bytes:
        _expect(
            len(data) == self.fixed_bytes, "ssz_length", path, f"{self.fixed_bytes} bytes, got {len(data)}"
        )
        return bytes(data)

    def hash_tree_root(self, value: bytes) -> bytes:
        return merkleize(pack(value))


@dataclass(frozen=True, slots=True)
class ByteList(SszType):
    """Up to `limit` bytes."""

    limit: int
    fixed_bytes: None = None

    def encode(self, value: bytes) -> bytes:
        _expect(len(value) <= self.limit, "ssz_limit", "", f"at most {self.limit} bytes, got {len(value)}")
        return value

    def decode(self, data: memoryview, path: str = "") -> bytes:
        _expect(len(data) <= self.limit, "ssz_limit", path, f"at most {self.limit} bytes, got {len(data)}")
        return bytes(data)

    def hash_tree_root(self, value: bytes) -> bytes:
        return mix_in_length(merkleize(pack(value), -(-self.limit // CHUNK_BYTES)), len(value))


@dataclass(frozen=True, slots=True)
class Bitvector(SszType):
    """Exactly `bits` bits, kept in their serialised form."""

    bits: int

    @property
    def fixed_bytes(self) -> int:  # type: ignore[override]
        """Size of the serialised bits."""
        return -(-self.bits // 8)

    def encode(self, value: bytes) -> bytes:
        return bytes(self.decode(memoryview(value)))

    def decode(self, data: memoryview, path: str = "") -> bytes:
        _expect(
            len(data) == self.fixed_bytes, "ssz_length", path, f"{self.fixed_bytes} bytes, got {len(data)}"
        )
        spare = self.fixed_bytes * 8 - self.bits
        _expect(not spare or data[-1] >> (8 - spare) == 0, "ssz_bits", path, "bits past the end are set")
        return bytes(data)

    def hash_tree_root(self, value: bytes) -> bytes:
        return merkleize(pack(value))


@dataclass(frozen=True, slots=True)
class Bitlist(SszType):
    """Up to `limit` bits, kept in their serialised form (a final 1 marks the end)."""

    limit: int
    fixed_bytes: None = None

    def encode(self, value: bytes) -> bytes:
        return bytes(self.decode(memoryview(value)))

    def decode(self, data: memoryview, path: str = "") -> bytes:
        _expect(len(data) > 0 and data[-1] != 0, "ssz_bits", path, "the end marker is missing")
        _expect(self._length(data) <= self.limit, "ssz_limit", path, f"at most {self.limit} bits")
        return bytes(data)

    def hash_tree_root(self, value: bytes) -> bytes:
        length = self._length(value)
        bits = int.from_bytes(value, "little") ^ (1 << length)
        content = pack(bits.to_bytes(-(-length // 8), "little"))
        return mix_in_length(merkleize(content, -(-self.limit // 256)), length)

    @staticmethod
    def _length(data: bytes | memoryview) -> int:
        return (len(data) - 1) * 8 + data[-1].bit_length() - 1


@dataclass(frozen=True, slots=True)
class List(SszType):
    """Up to `limit` elements."""

    element: SszType
    limit: int
    fixed_bytes: None = None

    def encode(self, value: Sequence[Any]) -> bytes:
        _expect(len(value) <= self.limit, "ssz_limit", "", f"at most {self.limit} elements, got {len(value)}")
        return _encode_sequence([self.element.encode(item) for item in value], self.element.fixed_bytes)

    def decode(self, data: memoryview, path: str = "") -> tuple[Any, ...]:
        return _decode_sequence(self.element, data, path, self.limit)

    def hash_tree_root(self, value: Sequence[Any]) -> bytes:
        if isinstance(self.element, Uint):
            limit = -(-self.limit * self.element.fixed_bytes // CHUNK_BYTES)
            content = pack(b"".join(map(self.element.encode, value)))
        else:
            limit = self.limit
            content = b"".join(map(self.element.hash_tree_root, value))
        return mix_in_length(merkleize(content, limit), len(value))


@dataclass(frozen=True, slots=True)
class Vector(SszType):
    """Exactly `length` elements of fixed size."""

    element: SszType
    length: int

    @property
    def fixed_bytes(self) -> int:  # type: ignore[override]
        """Size of all elements."""
        assert self.element.fixed_bytes is not None, "only vectors of fixed-size elements are needed here"
        return self.element.fixed_bytes * self.length

    def encode(self, value: Sequence[Any]) -> bytes:
        _expect(len(value) == self.length, "ssz_length", "", f"{self.length} elements, got {len(value)}")
        return b"".join(map(self.element.encode, value))

    def decode(self, data: memoryview, path: str = "") -> tuple[Any, ...]:
        _expect(
            len(data) == self.fixed_bytes, "ssz_length", path, f"{self.fixed_bytes} bytes, got {len(data)}"
        )
        return _decode_sequence(self.element, data, path, self.length)

    def hash_tree_root(self, value: Sequence[Any]) -> bytes:
        return merkleize(b"".join(map(self.element.hash_tree_root, value)))


@dataclass(frozen=True, slots=True)
class ContainerField:
    """One field of a container: its name on the wire, its type, and the attribute that holds it."""

    name: str
    type: SszType
    attribute: str = ""

    @property
    def holder(self) -> str:
        """Name of the attribute that holds the value."""
        return self.attribute or self.name


@dataclass(frozen=True)
class Container(SszType):
    """Named fields in order, held by instances of `cls`; `constants` are given to `cls` when decoding."""

    cls: type[Any]
    fields: tuple[ContainerField, ...]
    constants: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def fixed_bytes(self) -> int | None:  # type: ignore[override]
        """Size of a container whose fields all have a fixed size."""
        if any(item.type.fixed_bytes is None for item in self.fields):
            return None
        return self.head_bytes

    @cached_property
    def head_bytes(self) -> int:
        """Size of the inline part: fixed-size fields and one offset for each other field."""
        return sum(item.type.fixed_bytes or OFFSET_BYTES for item in self.fields)

    @cached_property
    def absent(self) -> tuple[str, ...]:
        """Attributes that `cls` has and this container has not; they must be None in its values."""
        used = {item.holder for item in self.fields} | set(self.constants)
        return tuple(name for name in self.cls.__dataclass_fields__ if name not in used)

    def encode(self, value: Any) -> bytes:
        self.check(value)
        head: list[bytes] = []
        tail: list[bytes] = []
        offset = self.head_bytes
        for item in self.fields:
            encoded = item.type.encode(getattr(value, item.holder))
            if item.type.fixed_bytes is None:
                head.append(offset.to_bytes(OFFSET_BYTES, "little"))
                tail.append(encoded)
                offset += len(encoded)
            else:
                head.append(encoded)
        return b"".join(head + tail)

    def decode(self, data: memoryview, path: str = "") -> Any:
        _expect(len(data) >= self.head_bytes, "ssz_length", path, f"{self.head_bytes} bytes, got {len(data)}")
        at = 0
        starts: list[int] = []
        values: dict[str, Any] = dict(self.constants)
        variable: list[ContainerField] = []
        for item in self.fields:
            where = f"{path}.{item.name}" if path else item.name
            size = item.type.fixed_bytes
            if size is None:
                starts.append(int.from_bytes(data[at : at + OFFSET_BYTES], "little"))
                variable.append(item)
                at += OFFSET_BYTES
            else:
                values[item.holder] = item.type.decode(data[at : at + size], where)
                at += size
        ends = [*starts[1:], len(data)] if starts else []
        _expect((starts or [len(data)])[0] == at, "ssz_offset", path, f"the fixed part ends at {at}")
        for item, start, end in zip(variable, starts, ends, strict=True):
            where = f"{path}.{item.name}" if path else item.name
            _expect(start <= end <= len(data), "ssz_offset", where, f"{start}..{end} of {len(data)} bytes")
            values[item.holder] = item.type.decode(data[start:end], where)
        return self.cls(**values)

    def hash_tree_root(self, value: Any) -> bytes:
        self.check(value)
        return merkleize(
            b"".join(item.type.hash_tree_root(getattr(value, item.holder)) for item in self.fields)
        )

    def check(self, value: Any) -> None:
        """Refuse a value that has a field this container lacks, or lacks one it has."""
        for item in self.fields:
            _expect(
                getattr(value, item.holder) is not None, "missing_field", item.name, "the fork requires it"
            )
        for name in self.absent:
            _expect(getattr(value, name) is None, "unexpected_field", name, "the fork does not have it")


def _encode_sequence(parts: list[bytes], fixed_bytes: int | None) -> bytes:
    if fixed_bytes is not None:
        return b"".join(parts)
    offset = OFFSET_BYTES * len(parts)
    head: list[bytes] = []
    for part in parts:
        head.append(offset.to_bytes(OFFSET_BYTES, "little"))
        offset += len(part)
    return b"".join(head + parts)


def _decode_sequence(element: SszType, data: memoryview, path: str, limit: int) -> tuple[Any, ...]:
    size = element.fixed_bytes
    if size is not None:
        count, spare = divmod(len(data), size)
        _expect(spare == 0, "ssz_length", path, f"a multiple of {size} bytes, got {len(data)}")
        _expect(count <= limit, "ssz_limit", path, f"at most {limit} elements, got {count}")
        return tuple(
            element.decode(data[at * size : (at + 1) * size], f"{path}[{at}]") for at in range(count)
        )
    if not len(data):
        return ()
    _expect(len(data) >= OFFSET_BYTES, "ssz_offset", path, f"an offset, got {len(data)} bytes")
    first = int.from_bytes(data[:OFFSET_BYTES], "little")
    count, spare = divmod(first, OFFSET_BYTES)
    _expect(spare == 0 and 0 < first <= len(data), "ssz_offset", path, f"first offset {first}")
    _expect(count <= limit, "ssz_limit", path, f"at most {limit} elements, got {count}")
    starts = [int.from_bytes(data[at * 4 : at * 4 + 4], "little") for at in range(count)]
    items = []
    for index, (start, end) in enumerate(zip(starts, [*starts[1:], len(data)], strict=True)):
        where = f"{path}[{index}]"
        _expect(start <= end <= len(data), "ssz_offset", where, f"{start}..{end} of {len(data)} bytes")
        items.append(element.decode(data[start:end], where))
    return tuple(items)
