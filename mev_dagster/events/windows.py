"""Ingest windows: the log cut at its heads.

window(N) holds the events after the head before it, up to and including `BlockSeen(N)`. It is a
function of the log alone, so live, replay and backfill agree on it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from cachetools import FIFOCache

from mev_dagster.events.types import (
    BlockReverted,
    BlockSeen,
    Event,
    LaneState,
    LaneStatus,
    TxBody,
    TxRejected,
    TxSeen,
)

# Deeper than any reorg the beacon chain's finality allows (two epochs of 32 slots).
_REVERTIBLE = 128
_LOSSES = frozenset({LaneState.DISCONNECTED, LaneState.GAP, LaneState.DROPPED})


@dataclass(frozen=True, slots=True)
class Window:
    """What happened between two heads. `gaps` counts lane statuses that report data lost meanwhile."""

    number: int
    block_hash: bytes
    first_seq: int
    last_seq: int
    opened_ns: int
    closed_ns: int
    sightings: int = 0
    bodies: int = 0
    rejects: int = 0
    gaps: int = 0
    synthetic: bool = False
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive events that neither close a window nor supersede one nor report a gap, counted."""

    first_seq: int
    opened_ns: int
    sightings: int
    bodies: int
    rejects: int
    synthetic: bool


class WindowCutter:
    """Cuts windows out of events handed in one at a time, as the daemon has them.

    A head that is seen twice closes one window only. A reverted block gives its window a second time,
    marked superseded; whoever stores windows replaces by (number, block_hash).
    """

    def __init__(self) -> None:
        self._first_seq: int | None = None
        self._opened_ns = 0
        self._head_hash = b""
        self._closed: FIFOCache[bytes, Window] = FIFOCache(_REVERTIBLE)
        self._clear()

    def _clear(self) -> None:
        self._sightings = self._bodies = self._rejects = self._gaps = 0
        self._synthetic = False

    def pass_over(self, run: Run) -> None:
        """Take many events at once."""
        self._begin(run.first_seq, run.opened_ns)
        self._sightings += run.sightings
        self._bodies += run.bodies
        self._rejects += run.rejects
        self._synthetic |= run.synthetic

    def _begin(self, seq: int, wall_ns: int) -> None:
        if self._first_seq is None:
            self._first_seq = seq
            self._opened_ns = self._opened_ns or wall_ns

    def push(self, event: Event) -> Window | None:
        """Take the next event; return the window it closes or supersedes, if it does."""
        self._begin(event.seq, event.wall_ns)
        if isinstance(event, TxSeen):
            self._sightings += 1
            self._synthetic |= event.synthetic
        elif isinstance(event, TxBody):
            self._bodies += 1
            self._synthetic |= event.synthetic
        elif isinstance(event, TxRejected):
            self._rejects += 1
        elif isinstance(event, LaneStatus):
            self._gaps += event.state in _LOSSES
        elif isinstance(event, BlockSeen) and event.block_hash != self._head_hash:
            return self._close(event)
        elif isinstance(event, BlockReverted):
            return self._supersede(event)
        return None

    def _close(self, head: BlockSeen) -> Window:
        assert self._first_seq is not None
        window = Window(
            number=head.number,
            block_hash=head.block_hash,
            first_seq=self._first_seq,
            last_seq=head.seq,
            opened_ns=self._opened_ns,
            closed_ns=head.wall_ns,
            sightings=self._sightings,
            bodies=self._bodies,
            rejects=self._rejects,
            gaps=self._gaps,
            synthetic=self._synthetic,
        )
        self._closed[head.block_hash] = window
        self._head_hash = head.block_hash
        self._first_seq = None
        self._opened_ns = head.wall_ns
        self._clear()
        return window

    def _supersede(self, reverted: BlockReverted) -> Window | None:
        if reverted.block_hash == self._head_hash:
            self._head_hash = b""
        window = self._closed.pop(reverted.block_hash, None)
        return replace(window, superseded=True) if window else None


def windows(events: Iterable[Event]) -> Iterator[Window]:
    """Yield each window as its head closes it, and once more, superseded, when a reorg reverts it."""
    cutter = WindowCutter()
    for event in events:
        window = cutter.push(event)
        if window is not None:
            yield window
