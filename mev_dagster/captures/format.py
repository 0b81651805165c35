"""Reading and writing captures.

A writer works in `<path>.partial` and renames it when finished, so a capture is there whole or not at
all. The same input in the same order gives the same bytes.
"""

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import msgspec

from mev_dagster.captures.manifest import (
    MANIFEST,
    ArrivalTimes,
    CaptureManifest,
    Part,
    SearcherInfo,
    read_capture_manifest,
)
from mev_dagster.captures.parts import PartReader, PartWriter
from mev_dagster.captures.records import (
    decode_block_record,
    decode_receipts_record,
    encode_block_record,
    encode_receipts_record,
)
from mev_dagster.chain.blocks import Block
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.receipts import Receipt
from mev_dagster.errors import CaptureError, InputError, MevError
from mev_dagster.events.codec import RECORD, decode, encode, length_at, raw_at
from mev_dagster.events.types import Event
from mev_dagster.evm.prestate import Prestate

EVENTS = "events.zst"
BLOCKS = "blocks.zst"
RECEIPTS = "receipts.zst"
PRESTATES = "prestates.zst"
CODES = "codes.zst"
# Neighbouring states share most of their bytes, and so do contracts: large chunks let zstd find it.
_CHUNK_BYTES = {
    EVENTS: 512 * 1024,
    BLOCKS: 512 * 1024,
    RECEIPTS: 512 * 1024,
    PRESTATES: 8 * 1024 * 1024,
    CODES: 8 * 1024 * 1024,
}
PART_NAMES = tuple(_CHUNK_BYTES)


class CaptureWriter:
    """Writes a capture. Blocks come in ascending order; events in the order they are to be replayed."""

    def __init__(
        self,
        path: Path | str,
        *,
        chain_id: int,
        arrival_times: ArrivalTimes,
        recorded_with: str,
        synthetic_rule: str | None = None,
        searcher: SearcherInfo | None = None,
        contracts: dict[str, bytes] | None = None,
        overwrite: bool = False,
    ) -> None:
        if arrival_times is ArrivalTimes.SYNTHETIC and not synthetic_rule:
            raise InputError("synthetic arrival times need the rule that made them")
        self.path = Path(path)
        if self.path.exists() and not overwrite:
            raise InputError(f"{self.path}: already exists")
        self._manifest = CaptureManifest(
            chain_id=chain_id,
            arrival_times=arrival_times,
            recorded_with=recorded_with,
            synthetic_rule=synthetic_rule,
            searcher=searcher,
            contracts=contracts or {},
        )
        self._work = self.path.with_name(f"{self.path.name}.partial")
        shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir(parents=True)
        self._parts = {
            name: PartWriter(self._work / name, chunk_bytes=size) for name, size in _CHUNK_BYTES.items()
        }
        self._codes: set[bytes] = set()
        self._first: int | None = None
        self._last: int | None = None

    @property
    def events(self) -> int:
        """Return how many events have been added."""
        return self._parts[EVENTS].records

    def add_block(
        self,
        block: Block,
        receipts: Sequence[Receipt] | None = None,
        prestate: Prestate | None = None,
    ) -> None:
        """Add a block with what is known about it; `prestate` is the state before it."""
        number = block.header.number
        if self._last is not None and number <= self._last:
            raise InputError(f"block {number}: blocks of a capture ascend, the last one was {self._last}")
        key = _key(number)
        self._parts[BLOCKS].add(key, encode_block_record(block))
        if receipts is not None:
            if len(receipts) != len(block.transactions):
                raise InputError(
                    f"block {number}: {len(block.transactions)} transactions, {len(receipts)} receipts"
                )
            self._parts[RECEIPTS].add(key, encode_receipts_record(tuple(receipts)))
        if prestate is not None:
            self._parts[PRESTATES].add(key, prestate.canonical())
            for code_hash, code in sorted(prestate.codes.items()):
                if code_hash not in self._codes:
                    self._codes.add(code_hash)
                    self._parts[CODES].add(code_hash, code)
        self._first = number if self._first is None else self._first
        self._last = number

    def add_event(self, event: Event) -> None:
        """Add an event; it gets the next number, whatever it had before."""
        self._parts[EVENTS].add(b"", encode(event, self.events))

    def finish(self) -> CaptureManifest:
        """Close the parts, write the manifest and put the capture in its place."""
        parts = []
        for name, part in self._parts.items():
            part.finish()
            file = self._work / name
            parts.append(Part(name, file_digest(file), file.stat().st_size, part.records))
        manifest = replace(
            self._manifest,
            first_block=self._first,
            last_block=self._last,
            block_count=self._parts[BLOCKS].records,
            parts=tuple(parts),
        )
        (self._work / MANIFEST).write_bytes(manifest.encode())
        if self.path.exists():
            shutil.rmtree(self.path)
        self._work.rename(self.path)
        return manifest

    def abandon(self) -> None:
        """Remove what has been written so far."""
        for part in self._parts.values():
            part.close()
        shutil.rmtree(self._work, ignore_errors=True)

    def __enter__(self) -> "CaptureWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abandon()
        else:
            self.finish()


class Capture:
    """An opened capture. Each part is checked against the manifest's digest when it is first read."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.manifest = read_capture_manifest(self.path)
        self._entries = {part.name: part for part in self.manifest.parts}
        self._parts: dict[str, PartReader] = {}
        for name in PART_NAMES:
            self._check_size(name)

    @property
    def chain_id(self) -> int:
        """Return the chain the blocks belong to."""
        return self.manifest.chain_id

    @property
    def numbers(self) -> tuple[int, ...]:
        """Return the block numbers, ascending."""
        return tuple(_number(key) for key in self.part(BLOCKS).index())

    @property
    def synthetic(self) -> bool:
        """Say whether the arrival times were made up by `manifest.synthetic_rule`."""
        return self.manifest.arrival_times is ArrivalTimes.SYNTHETIC

    @property
    def searcher(self) -> SearcherInfo | None:
        """Return the searcher whose executor the state holds, where the capture names one."""
        return self.manifest.searcher

    def block(self, number: int) -> Block:
        """Return a block, its senders recovered and its body checked against its header."""
        with _Naming(BLOCKS, number):
            block = decode_block_record(self._record(BLOCKS, number))
            if block.header.number != number:
                raise CaptureError(f"part {BLOCKS}: block {number}: holds block {block.header.number}")
            return block

    def has_receipts(self, number: int) -> bool:
        """Say whether the capture holds the block's receipts."""
        return _key(number) in self.part(RECEIPTS)

    def receipts(self, number: int) -> tuple[Receipt, ...]:
        """Return the receipts of a block."""
        with _Naming(RECEIPTS, number):
            return decode_receipts_record(self._record(RECEIPTS, number))

    def has_prestate(self, number: int) -> bool:
        """Say whether the capture holds the state before the block."""
        return _key(number) in self.part(PRESTATES)

    def prestate(self, number: int) -> Prestate:
        """Return the state before a block."""
        with _Naming(PRESTATES, number):
            document = msgspec.json.decode(self._record(PRESTATES, number))
            hashes = {
                bytes.fromhex(account["code_hash"][2:])
                for account in document["accounts"].values()
                if account is not None and account["code_hash"]
            }
            codes = self.part(CODES).get_many(hashes)
            for code_hash, code in codes.items():
                if keccak(code) != code_hash:
                    raise CaptureError(f"part {CODES}: code 0x{code_hash.hex()} has another keccak")
            return Prestate.from_json(document, codes)

    def events(self) -> Iterator[Event]:
        """Yield the events in order, numbered from 0."""
        for seq, (_, record) in enumerate(self.part(EVENTS)):
            if len(record) < RECORD.size or length_at(record, 0, len(record)) != len(record):
                raise CaptureError(f"part {EVENTS}: event {seq} is damaged")
            with _Naming(EVENTS, None):
                event = decode(raw_at(record, 0))
            if event.seq != seq:
                raise CaptureError(f"part {EVENTS}: expected event {seq}, found {event.seq}")
            yield event

    def part(self, name: str) -> PartReader:
        """Return a part's reader, its digest checked."""
        reader = self._parts.get(name)
        if reader is None:
            entry = self._entries[name]
            if file_digest(self.path / name) != entry.sha256:
                raise CaptureError(f"part {name}: altered: its SHA-256 is not the manifest's")
            reader = self._parts[name] = PartReader(self.path / name)
            if reader.records != entry.records:
                raise CaptureError(f"part {name}: expected {entry.records} records, found {reader.records}")
        return reader

    def close(self) -> None:
        """Close the files."""
        for reader in self._parts.values():
            reader.close()
        self._parts.clear()

    def __enter__(self) -> "Capture":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _record(self, name: str, number: int) -> bytes:
        record = self.part(name).get(_key(number))
        if record is None:
            raise CaptureError(f"part {name}: holds nothing about block {number}")
        return record

    def _check_size(self, name: str) -> None:
        entry = self._entries.get(name)
        if entry is None:
            raise CaptureError(f"{MANIFEST}: part {name} is not listed")
        path = self.path / name
        if not path.is_file():
            raise CaptureError(f"part {name}: listed in {MANIFEST}, absent from {self.path}")
        size = path.stat().st_size
        if size != entry.bytes:
            raise CaptureError(f"part {name}: expected {entry.bytes} bytes, found {size}")


class _Naming:
    """Turns whatever decoding a part's record raises into a `CaptureError` that names part and block."""

    def __init__(self, part: str, number: int | None) -> None:
        self._where = f"part {part}" if number is None else f"part {part}: block {number}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        malformed = (MevError, msgspec.DecodeError, ValueError, KeyError, TypeError, AttributeError)
        if isinstance(error, (*malformed, RecursionError)) and not isinstance(error, CaptureError):
            raise CaptureError(f"{self._where}: {error}") from error


def open_capture(path: Path | str) -> Capture:
    """Open the capture in folder `path`."""
    return Capture(path)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file in hex, reading it in pieces."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CaptureError(f"part {path.name}: {error.strerror}") from error


def _key(number: int) -> bytes:
    return number.to_bytes(8, "big")


def _number(key: bytes) -> int:
    return int.from_bytes(key, "big")
