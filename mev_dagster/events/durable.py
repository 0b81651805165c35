"""The `durable` mark: how far the open segment has been acknowledged.

Written after each sync, never before, so it is a lower bound of what is safe. Readers go no further,
and damage before it is corruption, while damage after it is the torn tail of a crash.
"""

from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from zlib import crc32

from mev_dagster.errors import LogCorrupt
from mev_dagster.telemetry.retries import Backoff, Retry

DURABLE = "durable"
_MARK = Struct("<QQQ")
_CRC = Struct("<I")
_SIZE = _MARK.size + _CRC.size
_READ = Retry("durable_mark", on=(LogCorrupt,), attempts=4, backoff=Backoff(0.001, 0.004))


@dataclass(frozen=True, slots=True)
class DurableMark:
    """`offset` bytes of the segment that starts at `first_seq` are durable; `next_seq` comes after them."""

    first_seq: int
    offset: int
    next_seq: int

    def encode(self) -> bytes:
        """Return the file's bytes."""
        fixed = _MARK.pack(self.first_seq, self.offset, self.next_seq)
        return fixed + _CRC.pack(crc32(fixed))


def read_mark(directory: Path) -> DurableMark | None:
    """Return the mark, None where there is none; `LogCorrupt` when its checksum differs.

    The writer rewrites the mark in place; a read that crosses a write is tried again.
    """
    return _READ.sync()(_read, directory / DURABLE)


def _read(path: Path) -> DurableMark | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(data) == _SIZE and _CRC.unpack_from(data, _MARK.size)[0] == crc32(data[: _MARK.size]):
        return DurableMark(*_MARK.unpack_from(data))
    if not data:
        return None
    raise LogCorrupt(f"{DURABLE}: the checksum of the durable mark differs")
