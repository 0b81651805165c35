"""What every importer shares: a resumable writer, a report, progress, and reading JSON within limits."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import zstandard

from mev_dagster.captures.manifest import ArrivalTimes
from mev_dagster.captures.synthetic import RULE, synthetic_events
from mev_dagster.captures.writer import CaptureWriter
from mev_dagster.chain.blocks import Block, Header
from mev_dagster.chain.receipts import Receipt
from mev_dagster.errors import ImportRefused, InputError, MevError
from mev_dagster.events.types import Event, TxRejected
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.witness import Witness
from mev_dagster.units import GIB

MAX_FILE_BYTES = GIB

OnProgress: TypeAlias = Callable[[int, int | None, str], None]


def no_progress(done: int, total: int | None, detail: str) -> None:
    """Report progress to nobody."""


@dataclass(slots=True)
class ImportReport:
    """What an import took and what it refused, by reason; `resumed_at` units had been done before."""

    blocks: int = 0
    transactions: int = 0
    events: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    resumed_at: int = 0


class ImportSession:
    """One import into one capture. A unit is what the importer can skip to: a file, a block, a row.

    Leaving it after an expected error removes the unfinished capture; leaving it in any other way, by
    Ctrl-C or a crash, keeps the last checkpoint for the next run with the same sources.
    """

    def __init__(
        self,
        out: Path | str,
        kind: str,
        sources: Sequence[Path],
        *,
        chain_id: int,
        arrival_times: ArrivalTimes,
        checkpoint_every: int,
        total: int | None = None,
        on_progress: OnProgress = no_progress,
    ) -> None:
        synthetic = arrival_times is ArrivalTimes.SYNTHETIC
        self._writer = CaptureWriter(
            out,
            chain_id=chain_id,
            arrival_times=arrival_times,
            synthetic_rule=RULE if synthetic else None,
            recorded_with=f"mev capture import, {kind}",
            resume_key=_fingerprint(kind, sources),
        )
        state = self._writer.resumed or {"done": 0, "report": {}}
        self.start: int = state["done"]
        self.report = ImportReport(**state["report"])
        self.report.resumed_at = self.start
        self._rejected = Counter(self.report.rejected)
        self._done = self.start
        self._took_any = self.report.blocks > 0 or self._writer.events > 0
        self._checkpoint_every = checkpoint_every
        self._total = total
        self._on_progress = on_progress

    def add_block(
        self,
        block: Block,
        receipts: Sequence[Receipt] | None,
        prestate: Prestate | None,
        parent: Header | None,
        witness: Witness | None = None,
    ) -> None:
        """Add a block and the sightings that the synthetic rule gives its transactions."""
        self._writer.add_block(block, receipts, prestate, witness)
        self._took_any = True
        self.report.blocks += 1
        self.report.transactions += len(block.transactions)
        for event in synthetic_events(block, parent):
            self._writer.add_event(event)

    def add_event(self, event: Event) -> None:
        """Add an event that somebody observed."""
        self._took_any |= not isinstance(event, TxRejected)
        self._writer.add_event(event)

    def reject(self, reason: str) -> None:
        """Count something that could not be used."""
        self._rejected[reason] += 1

    def step(self, detail: str = "") -> None:
        """Say that a unit is done; every so often this is a checkpoint."""
        self._done += 1
        if self._done % self._checkpoint_every == 0:
            report = self._current_report()
            state = {name: getattr(report, name) for name in ("blocks", "transactions", "rejected")}
            self._writer.checkpoint({"done": self._done, "report": state})
        self._on_progress(self._done, self._total, detail)

    def _current_report(self) -> ImportReport:
        self.report.events = self._writer.events
        self.report.rejected = dict(sorted(self._rejected.items()))
        return self.report

    def __enter__(self) -> "ImportSession":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._current_report()
        if error is None and self.report.rejected and not self._took_any:
            self._writer.abandon()
            told = ", ".join(f"{count} x {reason}" for reason, count in self.report.rejected.items())
            raise ImportRefused(f"nothing could be imported: {told}")
        if error is None:
            self._writer.finish()
        elif isinstance(error, MevError):
            self._writer.abandon()
        else:
            self._writer.close()


def read_json(path: Path) -> Any:
    """Return the JSON document in a file, zstd-compressed or not, of at most `MAX_FILE_BYTES`."""
    try:
        with path.open("rb") as file:
            if path.suffix == ".zst":
                data = zstandard.ZstdDecompressor().stream_reader(file).read(MAX_FILE_BYTES + 1)
            else:
                data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise InputError(f"{path}: more than {MAX_FILE_BYTES} bytes of JSON")
        return json.loads(data)
    except (OSError, zstandard.ZstdError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: {error}") from error


def _fingerprint(kind: str, sources: Sequence[Path]) -> str:
    """Return a digest that changes when the sources do: their names, sizes and times of change."""
    digest = hashlib.sha256(kind.encode())
    for path in sources:
        try:
            stat = path.stat()
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from error
        digest.update(f"\0{path.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}".encode())
    return digest.hexdigest()
