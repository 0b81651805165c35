"""Reading captures; their writer is handed out here too.

with open_capture(path) as capture:
    for number in capture.numbers:
        capture.block(number), capture.receipts(number), capture.prestate(number)
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from mev_dagster.captures.layout import (
    BLOCKS,
    CODES,
    EVENTS,
    OPTIONAL_CHUNK_BYTES,
    PART_NAMES,
    PRESTATES,
    RECEIPTS,
    WITNESSES,
    block_key,
    block_number,
    file_digest,
)
from mev_dagster.captures.manifest import MANIFEST, ArrivalTimes, SearcherInfo, read_capture_manifest
from mev_dagster.captures.parts import PartReader
from mev_dagster.captures.records import decode_block_record, decode_receipts_record
from mev_dagster.captures.writer import CaptureWriter
from mev_dagster.chain.blocks import Block
from mev_dagster.chain.forks import ForkSchedule
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.networks import schedule_for
from mev_dagster.chain.receipts import Receipt
from mev_dagster.errors import CaptureError, MevError
from mev_dagster.events.codec import RECORD, decode, length_at, raw_at
from mev_dagster.events.types import Event
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.witness import Witness
from mev_dagster.evm.state.witness_files import witness_from_json
from mev_dagster.hexadecimal import from_hex, to_hex

__all__ = ["Capture", "CaptureWriter", "open_capture"]


class Capture:
    """An opened capture. Each part is checked against the manifest's digest when it is first read."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.manifest = read_capture_manifest(self.path)
        self._entries = {part.name: part for part in self.manifest.parts}
        self._parts: dict[str, PartReader] = {}
        for name in (*PART_NAMES, *(name for name in OPTIONAL_CHUNK_BYTES if name in self._entries)):
            self._check_size(name)

    @property
    def chain_id(self) -> int:
        """Return the chain the blocks belong to."""
        return self.manifest.chain_id

    @property
    def schedule(self) -> ForkSchedule:
        """The forks of the capture's chain."""
        return schedule_for(self.chain_id)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Return the block numbers, ascending."""
        return tuple(block_number(key) for key in self.part(BLOCKS).index())

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
        return block_key(number) in self.part(RECEIPTS)

    def receipts(self, number: int) -> tuple[Receipt, ...]:
        """Return the receipts of a block."""
        with _Naming(RECEIPTS, number):
            return decode_receipts_record(self._record(RECEIPTS, number))

    def has_prestate(self, number: int) -> bool:
        """Say whether the capture holds the state before the block."""
        return block_key(number) in self.part(PRESTATES)

    def prestate(self, number: int) -> Prestate:
        """Return the state before a block."""
        with _Naming(PRESTATES, number):
            document = msgspec.json.decode(self._record(PRESTATES, number))
            hashes = {
                from_hex(account["code_hash"])
                for account in document["accounts"].values()
                if account is not None and account["code_hash"]
            }
            codes = self.part(CODES).get_many(hashes)
            for code_hash, code in codes.items():
                if keccak(code) != code_hash:
                    raise CaptureError(f"part {CODES}: code {to_hex(code_hash)} has another keccak")
            return Prestate.from_json(document, codes)

    def has_witness(self, number: int) -> bool:
        """Say whether the capture holds a witness of the block."""
        return WITNESSES in self._entries and block_key(number) in self.part(WITNESSES)

    def witness(self, number: int) -> Witness:
        """Return the witness with which a block can be executed and its root computed, by itself."""
        with _Naming(WITNESSES, number):
            return witness_from_json(msgspec.json.decode(self._record(WITNESSES, number)))

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
        record = self.part(name).get(block_key(number))
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
