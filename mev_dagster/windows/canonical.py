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


def feed(digest: Digest, *pieces: pa.Array) -> None:
    """Add a column: its length, which values are missing, how long each is where that varies, the values.

    A column in pieces gives what the whole gives, without ever being whole in memory.
    """
    missing = sum(piece.null_count for piece in pieces)
    digest.update(np.array((sum(map(len, pieces)), missing), "<u8"))
    if missing:
        for piece in pieces:
            digest.update(piece.is_null().cast(pa.uint8()).to_numpy())
        pieces = tuple(piece.drop_null() for piece in pieces)
    kind = pieces[0].type
    if pa.types.is_list(kind):
        for piece in pieces:
            digest.update(piece.value_lengths().to_numpy())
        feed(digest, *(piece.flatten() for piece in pieces))
        return
    varies = pa.types.is_string(kind) or pa.types.is_binary(kind)
    if varies:
        for piece in pieces:
            digest.update(pc.binary_length(piece).to_numpy())
    for piece in pieces:
        if len(piece):
            _feed_values(digest, piece, varies=varies)


def _feed_values(digest: Digest, piece: pa.Array, *, varies: bool) -> None:
    if varies:
        offsets = np.frombuffer(piece.buffers()[1], np.int32)[piece.offset :]
        data = piece.buffers()[2]
        if data is not None:
            digest.update(memoryview(data)[int(offsets[0]) : int(offsets[len(piece)])])
    elif pa.types.is_boolean(piece.type):
        digest.update(piece.cast(pa.uint8()).to_numpy())
    else:
        width = piece.type.bit_width // 8
        start = piece.offset * width
        digest.update(memoryview(piece.buffers()[1])[start : start + len(piece) * width])
