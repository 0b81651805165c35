"""`mev bench log`: the event log against JSON lines, and its replay against SHA-256 alone.

The peer is the standard library's way: `json.dumps(asdict(event))` a line, bytes as hex, with the same
guarantees: a checksum per line, a running digest, a file opened, written and synced the same number of times.
`asdict` copies deeply, so a second row has a peer that takes the fields by hand and leaves only `json.dumps`
itself to be beaten; replaying is held against that peer's file. Both sides start from the same
`Event` values; replaying means that time, kind and hash of every event and the raw bytes of every transaction
are values again and the digest agrees.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

import numpy as np

from mev_dagster.bench.harness import Options, Result, interleave, judge
from mev_dagster.bench.stream import mempool_stream
from mev_dagster.bench.transactions import generate
from mev_dagster.errors import LogCorrupt
from mev_dagster.events.disk import Disk
from mev_dagster.events.log import EventLogReader, EventLogWriter
from mev_dagster.events.types import BlockSeen, Event, EventKind, TxBody, TxSeen

TRANSACTIONS = 8_000
EVENTS_PER_BLOCK = 8_000
ROUNDS = 9
AT_LEAST_JSON = 7.0
AT_MOST_SHA = 4.0

_PEER = "json.dumps(asdict(event)) a line"
_TUNED = "json.dumps of fields taken by hand"
_LOADED = "json.loads a line, hex to bytes"
_FIELDS: dict[type, tuple[str, ...]] = {
    kind: tuple(f.name for f in fields(kind)) for kind in (TxSeen, TxBody, BlockSeen)
}
_COLUMNS = ("seq", "wall_ns", "kind", "subject")
_BYTES = {"tx_hash", "raw", "block_hash", "parent_hash", "header_rlp"}


def run(options: Options) -> Iterator[Result]:
    """Yield the figures of writing and replaying."""
    count = TRANSACTIONS // 4 if options.quick else TRANSACTIONS
    rounds = 3 if options.quick else ROUNDS
    options.step(f"signing {count} transactions")
    events = list(mempool_stream(generate(count)))
    blocks = [events[at : at + EVENTS_PER_BLOCK] for at in range(0, len(events), EVENTS_PER_BLOCK)]
    with TemporaryDirectory(prefix="mev-bench-log-") as folder:
        yield from _write(Path(folder), blocks, rounds, options)
        yield from _replay(Path(folder), blocks, rounds, options)


def _write(folder: Path, blocks: list[list[Event]], rounds: int, options: Options) -> Iterator[Result]:
    count = sum(map(len, blocks))
    peer = JsonLinesPeer(folder / "written.jsonl", asdict)
    tuned = JsonLinesPeer(folder / "tuned.jsonl", fields_by_hand)

    def append(number: int) -> None:
        writer.append_many(blocks[number])
        writer.commit()

    with EventLogWriter(folder / "written", fsync_interval_ms=60_000) as writer:
        seconds = interleave(
            {
                "log": append,
                "json": lambda number: peer.write(blocks[number]),
                "tuned": lambda number: tuned.write(blocks[number]),
            },
            range(len(blocks)),
            rounds=rounds,
            step=options.step,
        )
    peer.close()
    tuned.close()
    written = sum(path.stat().st_size for path in (folder / "written").glob("*.segment"))
    yield judge(
        "log write",
        seconds["log"] / count * 1e6,
        "us/event",
        peer=_PEER,
        peer_value=seconds["json"] / count * 1e6,
        at_least_peer=AT_LEAST_JSON,
        note=f"{count} events: sightings, bodies and blocks; one sync per {EVENTS_PER_BLOCK}",
    )
    yield judge(
        "log write, tuned peer",
        seconds["log"] / count * 1e6,
        "us/event",
        peer=_TUNED,
        peer_value=seconds["tuned"] / count * 1e6,
    )
    yield judge(
        "log size",
        written / (rounds * count),
        "bytes/event",
        peer=_PEER,
        peer_value=peer.size / (rounds * count),
    )


def _replay(folder: Path, blocks: list[list[Event]], rounds: int, options: Options) -> Iterator[Result]:
    """One sealed log and one file of lines per block; the limit is SHA-256 over the log's own bytes."""
    count = sum(map(len, blocks))
    segments = []
    for number, block in enumerate(blocks):
        with EventLogWriter(folder / str(number)) as writer:
            writer.append_many(block)
            writer.seal()
        peer = JsonLinesPeer(folder / f"{number}.jsonl", fields_by_hand)
        peer.write(block)
        peer.close()
        (segment,) = (folder / str(number)).glob("*.segment")
        segments.append(segment.read_bytes())
    seconds = interleave(
        {
            "columns": lambda number: replay_columns(folder / str(number)),
            "events": lambda number: sum(1 for _ in EventLogReader(folder / str(number)).read()),
            "json": lambda number: replay_json(folder / f"{number}.jsonl"),
            "sha": lambda number: hashlib.sha256(segments[number]).digest(),
        },
        range(len(blocks)),
        rounds=rounds,
        step=options.step,
    )
    micros = {name: total / count * 1e6 for name, total in seconds.items()}
    yield judge(
        "log replay",
        micros["columns"],
        "us/event",
        peer=_LOADED,
        peer_value=micros["json"],
        limit_value=micros["sha"],
        at_least_peer=AT_LEAST_JSON,
        at_most_limit=AT_MOST_SHA,
        note="every digest checked, values in columns; the limit is SHA-256 of the same bytes",
    )
    yield judge(
        "log replay, objects",
        micros["events"],
        "us/event",
        peer=_LOADED,
        peer_value=micros["json"],
        note="the same as frozen dataclasses, one by one",
    )


class JsonLinesPeer:
    """The peer's writer; `fields_of` makes the dict that is dumped."""

    def __init__(self, path: Path, fields_of: Callable[[Any], dict[str, Any]]) -> None:
        self.size = 0
        self._fields_of = fields_of
        self._disk = Disk()
        self._file = self._disk.open(path)
        self._digest = hashlib.sha256()
        self._seq = 0

    def write(self, events: list[Event]) -> None:
        """Append events and sync."""
        lines = []
        for event in events:
            document = {"kind": type(event).__name__, **self._fields_of(event), "seq": self._seq}
            line = json.dumps(document, default=bytes.hex).encode()
            lines.append(b"%08x %b\n" % (crc32(line), line))
            self._seq += 1
        data = b"".join(lines)
        self._digest.update(data)
        self._disk.write(self._file, data, self.size)
        self._disk.sync(self._file)
        self.size += len(data)

    def close(self) -> None:
        """Close the file, its digest behind the lines."""
        os.pwrite(self._file, self._digest.hexdigest().encode() + b"\n", self.size)
        self._disk.close(self._file)


def fields_by_hand(event: Event) -> dict[str, Any]:
    """Return an event's fields without the copying that `asdict` does."""
    return {name: getattr(event, name) for name in _FIELDS[type(event)]}


def replay_json(path: Path) -> int:
    """Read lines back, bytes as bytes; return their number."""
    digest, count = hashlib.sha256(), 0
    with path.open("rb") as file:
        for line in file:
            if line[8:9] != b" ":
                if digest.hexdigest().encode() != line.strip():
                    raise LogCorrupt(f"{path}: digest differs")
                break
            digest.update(line)
            event = json.loads(line[9:])
            for name in _BYTES & event.keys():
                event[name] = bytes.fromhex(event[name])
            count += 1
    return count


def replay_columns(directory: Path) -> int:
    """Read a log as replay does: number, time, kind and hash of events in columns, bodies as raw bytes."""
    count = 0
    for batch in EventLogReader(directory).batches():
        columns = [np.ascontiguousarray(batch.headers[name]) for name in _COLUMNS]
        raws = batch.of_kind(EventKind.TX_BODY).payloads()
        count += len(columns[0]) if raws else 0
    return count
