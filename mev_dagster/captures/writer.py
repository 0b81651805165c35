"""Writing captures.

A writer works in `<path>.partial` and renames it when finished, so a capture is there whole or not at
all. The same input in the same order gives the same bytes, also when it was interrupted and resumed:
a writer with a `resume_key` goes on at its last checkpoint if the work folder was left by the same key.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from mev_dagster.captures.layout import (
    BLOCKS,
    CHUNK_BYTES,
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
from mev_dagster.captures.manifest import MANIFEST, ArrivalTimes, CaptureManifest, CapturePart, SearcherInfo
from mev_dagster.captures.parts import PartWriter
from mev_dagster.captures.records import encode_block_record, encode_receipts_record
from mev_dagster.chain.blocks import Block
from mev_dagster.chain.receipts import Receipt
from mev_dagster.errors import CaptureError, InputError
from mev_dagster.events.codec import encode
from mev_dagster.events.disk import Disk
from mev_dagster.events.types import Event
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.witness import Witness
from mev_dagster.evm.state.witness_files import witness_to_json

_CHECKPOINT = "checkpoint.json"
_NOTHING_WRITTEN = dict.fromkeys(PART_NAMES, 0)


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
        resume_key: str = "",
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
        self._resume_key = resume_key
        self._disk = Disk()
        self._work = self.path.with_name(f"{self.path.name}.partial")
        checkpoint = self._read_checkpoint()
        self.resumed: dict[str, Any] | None = checkpoint["state"] if checkpoint else None
        if checkpoint is None:
            shutil.rmtree(self._work, ignore_errors=True)
            self._work.mkdir(parents=True)
        sizes = checkpoint["sizes"] if checkpoint else _NOTHING_WRITTEN
        self._parts = {
            name: PartWriter(self._work / name, chunk_bytes=size, resume_at=sizes[name])
            for name, size in (CHUNK_BYTES | OPTIONAL_CHUNK_BYTES).items()
            if name in sizes
        }
        self._codes = set(self._parts[CODES].keys())
        numbers = [block_number(key) for key in self._parts[BLOCKS].keys()]  # noqa: SIM118
        self._first = numbers[0] if numbers else None
        self._last = numbers[-1] if numbers else None

    @property
    def events(self) -> int:
        """Return how many events have been added."""
        return self._parts[EVENTS].records

    def add_block(
        self,
        block: Block,
        receipts: Sequence[Receipt] | None = None,
        prestate: Prestate | None = None,
        witness: Witness | None = None,
    ) -> None:
        """Add a block with what is known about it; `prestate` and `witness` are of the state before it."""
        number = block.header.number
        if self._last is not None and number <= self._last:
            raise InputError(f"block {number}: blocks of a capture ascend, the last one was {self._last}")
        if receipts is not None and len(receipts) != len(block.transactions):
            raise InputError(
                f"block {number}: {len(block.transactions)} transactions, {len(receipts)} receipts"
            )
        key = block_key(number)
        self._parts[BLOCKS].add(key, encode_block_record(block))
        if receipts is not None:
            self._parts[RECEIPTS].add(key, encode_receipts_record(tuple(receipts)))
        if prestate is not None:
            self._parts[PRESTATES].add(key, prestate.canonical())
            for code_hash, code in sorted(prestate.codes.items()):
                if code_hash not in self._codes:
                    self._codes.add(code_hash)
                    self._parts[CODES].add(code_hash, code)
        if witness is not None:
            document = json.dumps(witness_to_json(witness), separators=(",", ":"), sort_keys=True)
            self._optional(WITNESSES).add(key, document.encode())
        self._first = number if self._first is None else self._first
        self._last = number

    def _optional(self, name: str) -> PartWriter:
        """Return a part that is begun with the first record in it."""
        if name not in self._parts:
            size = OPTIONAL_CHUNK_BYTES[name]
            self._parts[name] = PartWriter(self._work / name, chunk_bytes=size)
        return self._parts[name]

    def add_event(self, event: Event) -> None:
        """Add an event; it gets the next number, whatever it had before."""
        self._parts[EVENTS].add(b"", encode(event, self.events))

    def checkpoint(self, state: Mapping[str, Any]) -> None:
        """Make what is written durable, with the JSON `state` that a resumed writer finds in `resumed`.

        A checkpoint ends chunks: for equal bytes take checkpoints at places that depend on the input alone.
        """
        for part in self._parts.values():
            part.flush()
            part.sync()
        document = {
            "resume_key": self._resume_key,
            "capture": self._manifest.encode().decode(),
            "sizes": {name: part.size for name, part in self._parts.items()},
            "state": dict(state),
        }
        self._disk.replace(self._work / _CHECKPOINT, json.dumps(document).encode())

    def finish(self) -> CaptureManifest:
        """Close the parts, write the manifest and put the capture in its place."""
        parts = []
        for name, part in self._parts.items():
            part.finish()
            file = self._work / name
            parts.append(CapturePart(name, file_digest(file), file.stat().st_size, part.records))
        manifest = replace(
            self._manifest,
            first_block=self._first,
            last_block=self._last,
            block_count=self._parts[BLOCKS].records,
            parts=tuple(parts),
        )
        (self._work / _CHECKPOINT).unlink(missing_ok=True)
        self._disk.replace(self._work / MANIFEST, manifest.encode())
        if self.path.exists():
            shutil.rmtree(self.path)
        self._work.rename(self.path)
        self._disk.sync_directory(self.path.parent)
        return manifest

    def close(self) -> None:
        """Let go of the files and leave the work folder for a writer that resumes."""
        for part in self._parts.values():
            part.close()

    def abandon(self) -> None:
        """Remove what has been written so far."""
        self.close()
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

    def _read_checkpoint(self) -> dict[str, Any] | None:
        """Return the checkpoint to resume from, if this writer's own work was interrupted there."""
        try:
            document: dict[str, Any] = json.loads((self._work / _CHECKPOINT).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise CaptureError(f"{self._work / _CHECKPOINT}: {error}") from error
        same = (
            self._resume_key
            and document.get("resume_key") == self._resume_key
            and document.get("capture") == self._manifest.encode().decode()
        )
        return document if same else None
