"""What the ingest process and a decode worker say to each other: length-prefixed frames of packed bytes.

Request: count, that many lengths, the raw transactions end to end. Reply: the rejects as msgpack, then the
columns as an Arrow IPC stream. No object is pickled, so a batch costs its bytes and little more.
"""

import struct
from collections.abc import Sequence
from typing import IO

import msgspec
import pyarrow as pa

from mev_dagster.chain.columns import DecodedBatch, Reject, from_ipc, to_ipc
from mev_dagster.errors import InputError
from mev_dagster.units import MIB

MAX_FRAME_BYTES = 256 * MIB

_SIZE = struct.Struct("<I")
_rejects = msgspec.msgpack.Decoder(list[Reject])


def write_frame(stream: IO[bytes], *parts: bytes | pa.Buffer) -> None:
    """Write one frame made of `parts`, and flush."""
    size = sum(len(part) for part in parts)
    if size > MAX_FRAME_BYTES:
        raise InputError(
            f"a frame of {size} bytes, at most {MAX_FRAME_BYTES} are allowed; send smaller batches"
        )
    stream.write(_SIZE.pack(size))
    for part in parts:
        stream.write(part)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes | None:
    """Read one frame; None where the stream ends, be it between frames or inside one."""
    size = stream.read(_SIZE.size)
    if len(size) < _SIZE.size:
        return None
    [length] = _SIZE.unpack(size)
    if length > MAX_FRAME_BYTES:
        raise InputError(f"the other side announces a frame of {length} bytes")
    frame = stream.read(length)
    return frame if len(frame) == length else None


def pack_request(raws: Sequence[bytes]) -> bytes:
    """Pack a batch of raw transactions."""
    return b"".join((struct.pack(f"<I{len(raws)}I", len(raws), *map(len, raws)), *raws))


def unpack_request(frame: bytes) -> list[bytes]:
    """Return the raw transactions of a request."""
    [count] = _SIZE.unpack_from(frame)
    lengths = struct.unpack_from(f"<{count}I", frame, _SIZE.size)
    raws = []
    position = _SIZE.size * (count + 1)
    for length in lengths:
        raws.append(frame[position : position + length])
        position += length
    return raws


def pack_reply(batch: DecodedBatch) -> tuple[bytes, bytes, pa.Buffer]:
    """Pack a decoded batch as the parts of one frame."""
    rejects = msgspec.msgpack.encode(batch.rejects)
    return _SIZE.pack(len(rejects)), rejects, to_ipc(batch.rows)


def unpack_reply(frame: bytes) -> DecodedBatch:
    """Return the decoded batch; its columns point into `frame`."""
    [size] = _SIZE.unpack_from(frame)
    start = _SIZE.size + size
    rejects = _rejects.decode(frame[_SIZE.size : start])
    rows = from_ipc(pa.py_buffer(frame).slice(start))
    refused = {reject.position for reject in rejects}
    total = rows.num_rows + len(refused)
    return DecodedBatch(rows, [position for position in range(total) if position not in refused], rejects)
