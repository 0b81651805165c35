"""Where a window lies in a log, and which log it is: both read from the log alone."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

from mev_dagster.errors import InputError, Superseded
from mev_dagster.events.batch import RawBatch
from mev_dagster.events.codec import encode
from mev_dagster.events.manifest import read_manifest
from mev_dagster.events.reader import EventLogReader, load_sealed
from mev_dagster.events.types import BlockReverted, BlockSeen, EventKind

IDENTITY_FILE = "log.id"


@dataclass(frozen=True, slots=True)
class WindowSpan:
    """The events `first_seq` to `last_seq`; `previous_head_seq` is -1 for the first window of a log."""

    number: int
    block_hash: bytes
    first_seq: int
    last_seq: int
    previous_head_seq: int
    head_wall_ns: int = 0


def log_identity(reader: EventLogReader) -> str:
    """Return the name of a log, made of its first event; it stays when retention removes that event."""
    path = reader.directory / IDENTITY_FILE
    if path.exists():
        return path.read_text().strip()
    first = next(iter(reader.read(reader.first_seq)), None)
    if first is None:
        raise InputError(f"{reader.directory}: an empty log has no name yet")
    name = hashlib.sha256(encode(first, first.seq)).hexdigest()[:16]
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(name + "\n")
    draft.replace(path)
    return name


def find_window(reader: EventLogReader, number: int) -> WindowSpan:
    """Find the canonical window that leads to block `number`, looking from the end of the log backwards."""
    heads: list[BlockSeen] = []
    reverted: list[BlockReverted] = []
    for part in _parts_backwards(reader):
        found = [event for batch in part for event in of_chain(batch).events()]
        heads[:0] = [event for event in found if isinstance(event, BlockSeen)]
        reverted.extend(event for event in found if isinstance(event, BlockReverted))
        index = _last_index(heads, number)
        if index is not None and index > 0:
            break
    index = _last_index(heads, number)
    if index is None:
        raise InputError(f"{reader.directory}: no window leads to block {number}")
    head, previous = heads[index], heads[index - 1] if index else None
    if any(event.block_hash == head.block_hash and event.seq > head.seq for event in reverted):
        raise Superseded(f"{reader.directory}: block {number} was reverted and has no successor yet")
    return WindowSpan(
        number,
        head.block_hash,
        previous.seq + 1 if previous else reader.first_seq,
        head.seq,
        previous.seq if previous else -1,
        head.wall_ns,
    )


def _last_index(heads: list[BlockSeen], number: int) -> int | None:
    return next((i for i in range(len(heads) - 1, -1, -1) if heads[i].number == number), None)


def of_chain(batch: RawBatch) -> RawBatch:
    """Return the heads and reverts among many events, without looking into any other."""
    kinds = batch.headers["kind"]
    return batch.select((kinds == EventKind.BLOCK_SEEN) | (kinds == EventKind.BLOCK_REVERTED))


def _parts_backwards(reader: EventLogReader) -> Iterator[list[RawBatch]]:
    """Yield the log segment by segment, the open one first."""
    manifest = read_manifest(reader.directory)
    yield list(reader.batches(manifest.next_seq))
    for segment in reversed(manifest.segments):
        yield [load_sealed(reader.directory, segment)]
