"""ClickHouse column types, and how Python values travel in and out of them through Arrow.

Wide integers go through Arrow as 32 little-endian bytes, which is how ClickHouse itself maps them, so an
amount is exact from one end to the other. Times are integer nanoseconds UTC at the edges of this room.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from mev_dagster.errors import StoreError

_FIXED = re.compile(r"FixedString\((\d+)\)")
_WRAPPED = re.compile(r"(Nullable|Array|LowCardinality)\((.+)\)")
_PLAIN = {
    "UInt8": pa.uint8(),
    "UInt16": pa.uint16(),
    "UInt32": pa.uint32(),
    "UInt64": pa.uint64(),
    "Int32": pa.int32(),
    "Int64": pa.int64(),
    "Float64": pa.float64(),
    "Bool": pa.bool_(),
    "DateTime64(9, 'UTC')": pa.timestamp("ns", tz="UTC"),
}
_PANDAS_NULLABLE = {
    "UInt8": "UInt8",
    "UInt16": "UInt16",
    "UInt32": "UInt32",
    "UInt64": "UInt64",
    "Int32": "Int32",
    "Int64": "Int64",
    "Bool": "boolean",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A parsed type: `base` is a plain type or `Array`; `item` is set for arrays, `width` for FixedString."""

    text: str
    base: str
    nullable: bool = False
    item: "ColumnType | None" = None
    width: int | None = None

    @property
    def wide(self) -> bool:
        """Whether values are 256-bit integers."""
        return self.base in {"UInt256", "Int256"}

    def arrow(self, *, text: bool = True) -> pa.DataType:
        """Return the Arrow type that carries this type; `text` says whether String holds text."""
        if self.item is not None:
            return pa.list_(pa.field("item", self.item.arrow(text=text), nullable=self.item.nullable))
        if self.wide:
            return pa.binary(32)
        if self.width is not None:
            return pa.binary(self.width)
        if self.base == "String":
            return pa.string() if text else pa.binary()
        return _PLAIN[self.base]

    def encode(self, values: Sequence[Any] | pa.Array, where: str, *, text: bool = True) -> pa.Array:
        """Turn Python values (or an Arrow array) into the Arrow array of this type; `where` names it."""
        target = self.arrow(text=text)
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        if not isinstance(values, pa.Array):
            values = self._from_python(list(values), where, text)
        elif values.type != target:
            try:
                values = values.cast(target)
            except pa.ArrowException as error:
                raise StoreError(f"{where}: {error}") from None
        if values.null_count and not self.nullable:
            raise StoreError(f"{where}: a value is missing where {self.text} must have one")
        return values

    def _from_python(self, values: list[Any], where: str, text: bool) -> pa.Array:
        if self.item is not None:
            return self._lists(values, where, text)
        try:
            return pa.array(self._prepared(values, where), self.arrow(text=text))
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise StoreError(f"{where}: not a column of {self.text}: {error}") from None

    def _lists(self, values: list[Any], where: str, text: bool) -> pa.Array:
        if self.item is None or any(value is None for value in values):
            raise StoreError(f"{where}: a value is missing where {self.text} must have one")
        offsets, flat = [0], []
        for value in values:
            flat.extend(value)
            offsets.append(len(flat))
        items = self.item.encode(flat, where, text=text)
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items).cast(self.arrow(text=text))

    def _prepared(self, values: list[Any], where: str) -> list[Any]:
        if self.wide:
            signed = self.base == "Int256"
            return [None if v is None else int(v).to_bytes(32, "little", signed=signed) for v in values]
        if self.width is not None:
            return [None if v is None else self._fixed(v, where) for v in values]
        if self.base.startswith("DateTime64"):
            return [None if v is None else nanoseconds(v) for v in values]
        return values

    def _fixed(self, value: Any, where: str) -> bytes:
        data = bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else bytes(value)
        if len(data) != self.width:
            raise StoreError(f"{where}: expected {self.width} bytes, found {len(data)}")
        return data

    def decode(self, column: pa.ChunkedArray | pa.Array) -> list[Any]:
        """Return the Python values of a column: exact ints, bytes, text, nanoseconds."""
        if self.base.startswith("DateTime64"):
            column = column.cast(pa.int64())
        return [self._value(value) for value in column.to_pylist()]

    def _value(self, value: Any) -> Any:
        if value is None:
            return None
        if self.item is not None:
            return [self.item._value(entry) for entry in value]
        if self.wide:
            return int.from_bytes(value, "little", signed=self.base == "Int256")
        return value

    @property
    def pandas_dtype(self) -> str | None:
        """Name of the pandas extension type that keeps a nullable integer exact."""
        return _PANDAS_NULLABLE.get(self.base) if self.nullable else None


def parse_type(text: str) -> ColumnType:
    """Parse a ClickHouse type; raises ValueError for one the schema does not use."""
    wrapped = _WRAPPED.fullmatch(text)
    if wrapped is not None:
        wrapper, inner = wrapped[1], parse_type(wrapped[2])
        if wrapper == "Array":
            return ColumnType(text, "Array", item=inner)
        return ColumnType(text, inner.base, inner.nullable or wrapper == "Nullable", inner.item, inner.width)
    fixed = _FIXED.fullmatch(text)
    if fixed is not None:
        return ColumnType(text, "FixedString", width=int(fixed[1]))
    if text in _PLAIN or text in {"String", "UInt256", "Int256"}:
        return ColumnType(text, text)
    raise ValueError(f"schema: unknown column type {text}")


def nanoseconds(value: Any) -> int:
    """Return a time given as nanoseconds, datetime (UTC where naive) or ISO text as UTC nanoseconds."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        if hasattr(value, "value"):  # pandas' Timestamp keeps its nanoseconds here
            return int(value.value)
        delta = (value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH
        return (delta.days * 86_400 + delta.seconds) * 1_000_000_000 + delta.microseconds * 1_000
    return int(value)
