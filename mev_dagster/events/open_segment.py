"""The segment that is being written: what is in it so far, and the footer it will get."""

import hashlib
from array import array
from typing import Self

import numpy as np

from mev_dagster.events.codec import raw_at
from mev_dagster.events.segment import HEADER_SIZE, Footer, Scan, SegmentHeader, segment_name


class OpenSegment:
    """Counts records into offsets and digest; knows nothing of files. `on_disk` bytes have been written."""

    def __init__(self, header: SegmentHeader) -> None:
        self.header = header
        self.offsets = array("I")
        self.size = HEADER_SIZE
        self.on_disk = 0
        self.first_wall_ns = 0
        self.last_wall_ns = 0
        self._sha = hashlib.sha256(header.encode())

    @classmethod
    def resumed(cls, header: SegmentHeader, buffer: bytes, found: Scan) -> Self:
        """Return the segment as it stands after the records that a scan of its file has found."""
        segment = cls(header)
        segment.offsets = found.offsets
        segment.size = segment.on_disk = found.end
        segment._sha.update(memoryview(buffer)[HEADER_SIZE : found.end])
        if found.offsets:
            segment.first_wall_ns = raw_at(buffer, found.offsets[0]).wall_ns
            segment.last_wall_ns = raw_at(buffer, found.offsets[-1]).wall_ns
        return segment

    @property
    def name(self) -> str:
        """Return the file's name."""
        return segment_name(self.header.first_seq)

    @property
    def next_seq(self) -> int:
        """Return the number the next record will get."""
        return self.header.first_seq + len(self.offsets)

    @property
    def pending_bytes(self) -> int:
        """Return how much has been added and not yet written."""
        return self.size - self.on_disk

    def add(self, length: int, wall_ns: int) -> None:
        """Take note of a record of `length` bytes behind those there are."""
        if not self.offsets:
            self.first_wall_ns = wall_ns
        self.offsets.append(self.size)
        self.size += length
        self.last_wall_ns = wall_ns

    def written(self, data: bytes) -> None:
        """Take note that `data` went to the disk behind what is there."""
        self._sha.update(data)
        self.on_disk = self.size

    def footer(self) -> Footer:
        """Return the footer that seals the segment as it stands."""
        return Footer(
            first_seq=self.header.first_seq,
            last_seq=self.next_seq - 1,
            first_wall_ns=self.first_wall_ns,
            last_wall_ns=self.last_wall_ns,
            footer_offset=self.size,
            digest=self._sha.digest(),
            offsets=np.array(self.offsets, np.int64),
        )
