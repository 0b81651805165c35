"""The bytes of an Arrow column that two columns share if and only if they hold the same values.

Arrow leaves open what lies under a null, where offsets begin and how a buffer is padded; none of that may
reach a digest.
"""

from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class Digest(Protocol):
    """A hash that is still being fed."""

    def update(self, data: Any, /) -> None:
        """Take more bytes."""
        ...


def feed(digest: Digest, column: pa.Array) -> None:
    """Add a column: its length, which values are missing, how long each is where that varies, the values."""
    missing = column.null_count
    digest.update(np.array((len(column), missing), "<u8"))
    if missing:
        digest.update(column.is_null().cast(pa.uint8()).to_numpy())
        column = column.drop_null()
    kind = column.type
    if pa.types.is_list(kind):
        digest.update(column.value_lengths().to_numpy())
        feed(digest, column.flatten())
    elif pa.types.is_string(kind) or pa.types.is_binary(kind):
        digest.update(pc.binary_length(column).to_numpy())
        offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset :]
        data = column.buffers()[2]
        if data is not None:
            digest.update(memoryview(data)[int(offsets[0]) : int(offsets[len(column)])])
    elif pa.types.is_boolean(kind):
        digest.update(column.cast(pa.uint8()).to_numpy())
    elif len(column):
        width = kind.bit_width // 8
        start = column.offset * width
        digest.update(memoryview(column.buffers()[1])[start : start + len(column) * width])
