"""Digests of the log's windows: of their events, and of the rows those events became.

Two runs over one log agree if and only if these agree, window by window; the live path stores its own
beside the rows, and a replay compares.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from mev_dagster.events.batch import RawBatch
from mev_dagster.windows.canonical import feed

TABLE = "replay_checkpoints"
LIVE = "live"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What window `block_number`, which event `seq` closes, came to."""

    block_number: int
    seq: int
    event_time_ns: int
    event_digest: bytes
    row_digest: bytes


class EventDigest:
    """SHA-256 over the records of events, sequence numbers and both clocks included."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()

    def push(self, events: RawBatch) -> None:
        """Add the next events."""
        self._sha.update(events.record_bytes)

    @property
    def so_far(self) -> bytes:
        """Digest of the events since the last `close`."""
        return self._sha.digest()

    def close(self) -> bytes:
        """Return the digest of the events since the last call."""
        digest, self._sha = self._sha.digest(), hashlib.sha256()
        return digest


def row_digest(
    tables: Mapping[str, Sequence[pa.RecordBatch]], heads: Iterable[tuple[str, dict[str, Any]]]
) -> bytes:
    """Return the SHA-256 of a window's rows: each table's columns, then the rows of its head.

    How a table was cut into batches does not count, nor does the name of the log. The rows of a head hold
    integers, bytes, text, booleans and None, whose `repr` is exact and stable.
    """
    sha = hashlib.sha256()
    for table in sorted(tables):
        for name in sorted(tables[table][0].schema.names):
            sha.update(f"{table}.{name}:".encode())
            feed(sha, *(rows.column(name) for rows in tables[table]))
    for table, row in heads:
        values = [value for name, value in row.items() if name != "log_id"]
        sha.update(repr((table, values)).encode())
    return sha.digest()


def checkpoint_rows(checkpoints: Sequence[Checkpoint], *, log_id: str, run: str) -> list[dict[str, Any]]:
    """Return the checkpoints of a run as rows of `replay_checkpoints`."""
    return [
        {
            "log_id": log_id,
            "run": run,
            "seq": checkpoint.seq,
            "block_number": checkpoint.block_number,
            "event_time": checkpoint.event_time_ns,
            "event_digest": checkpoint.event_digest,
            "row_digest": checkpoint.row_digest,
        }
        for checkpoint in checkpoints
    ]
