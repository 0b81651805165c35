"""ClickHouse column types, and how Python values travel in and out of them through Arrow.

Wide integers go through Arrow as 32 little-endian bytes, which is how ClickHouse itself maps them, so an
amount is exact from one end to the other. Times are integer nanoseconds UTC at the edges of this room.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, chain
from types import NoneType
from typing import Any

import numpy as np
import pyarrow as pa

from mev_dagster.errors import StoreError
from mev_dagster.hexadecimal import from_hex
from mev_dagster.units import NS_PER_DAY, NS_PER_SECOND, NS_PER_US

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
        try:
            if not isinstance(values, pa.Array):
                values = self._from_python(values, where, text)
            elif values.type != target:
                values = values.cast(target)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise StoreError(f"{where}: not a column of {self.text}: {error}") from None
        if values.null_count and not self.nullable:
            raise StoreError(f"{where}: a value is missing where {self.text} must have one")
        return values

    def _from_python(self, values: Sequence[Any], where: str, text: bool) -> pa.Array:
        target = self.arrow(text=text)
        if self.item is not None:
            return self._lists(values, where, text)
        if self.wide:
            return self._wide(values)
        if self.width is not None:
            if set(map(type, values)) <= {bytes, NoneType}:
                with suppress(pa.ArrowInvalid):  # a value of another width, which is named below
                    return pa.array(values, target)
            return pa.array([None if v is None else self._fixed(v, where) for v in values], target)
        if self.base.startswith("DateTime64"):
            try:
                return pa.array(values, pa.int64()).cast(target)
            except pa.ArrowException:
                return pa.array([None if v is None else nanoseconds(v) for v in values], target)
        return pa.array(values, target)

    def _lists(self, values: Sequence[Any], where: str, text: bool) -> pa.Array:
        assert self.item is not None
        if any(value is None for value in values):
            raise StoreError(f"{where}: a value is missing where {self.text} must have one")
        offsets = pa.array(accumulate(map(len, values), initial=0), pa.int32())
        items = self.item.encode(list(chain.from_iterable(values)), where, text=text)
        return pa.ListArray.from_arrays(offsets, items).cast(self.arrow(text=text))

    def _wide(self, values: Sequence[Any]) -> pa.Array:
        """Encode 256-bit integers; those that all fit 64 bits, as most amounts do, without Python's help."""
        signed = self.base == "Int256"
        try:
            narrow = pa.array(values, pa.int64() if signed else pa.uint64())
        except (pa.ArrowException, OverflowError):
            packed = [None if v is None else int(v).to_bytes(32, "little", signed=signed) for v in values]
            return pa.array(packed, pa.binary(32))
        words = np.zeros((len(narrow), 4), "<i8" if signed else "<u8")
        words[:, 0] = narrow.fill_null(0).to_numpy() if narrow.null_count else narrow.to_numpy()
        if signed:
            words[:, 1:] = words[:, :1] >> 63
        return pa.Array.from_buffers(
            pa.binary(32), len(narrow), [_validity(narrow), pa.py_buffer(words)], narrow.null_count
        )

    def _fixed(self, value: Any, where: str) -> bytes:
        data = from_hex(value) if isinstance(value, str) else bytes(value)
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


def _validity(array: pa.Array) -> pa.Buffer | None:
    return array.buffers()[0] if array.null_count else None


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
        return delta.days * NS_PER_DAY + delta.seconds * NS_PER_SECOND + delta.microseconds * NS_PER_US
    return int(value)
