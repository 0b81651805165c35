"""Lane against lane: who saw which transaction first, alone, or not at all, over any range of blocks.

Measured on the store's sightings, so that live, replay and backfill agree; the same statement serves one
block, an hour of them and `mev coverage`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import permutations
from typing import Any, NamedTuple

from mev_dagster.features.mempool import PENDING_WINDOWS
from mev_dagster.store.client import Store
from mev_dagster.units import NS_PER_MS

LARGEST_NUMBER = 2**63 - 1

_FILES = resources.files("mev_dagster.windows")
_SPAN_SQL = (_FILES / "coverage_span.sql").read_text()
_COVERAGE_SQL = (_FILES / "coverage.sql").read_text()
_LANDED_SQL = (_FILES / "coverage_landed.sql").read_text()


@dataclass(frozen=True, slots=True)
class LaneCoverage:
    """What one lane (and source) saw; with `other` set, how it compares with that lane.

    `seen` are the transactions of its `sightings`, `exclusive` those that no other lane (or not `other`)
    knew, `shared` those that another knew too, `seen_first` those it saw before every other lane. A lead is
    how much earlier this lane was, in nanoseconds. `before_slot`, `after_slot` and `never_seen` part the
    blocks' own transactions. The lane without a name is all of them together.
    """

    lane: str
    other: str
    sightings: int
    seen: int
    exclusive: int
    shared: int
    seen_first: int
    median_lead_ns: int | None
    p95_lead_ns: int | None
    before_slot: int
    after_slot: int
    never_seen: int

    @property
    def included(self) -> int:
        """Transactions of the blocks that the lane had seen before their block."""
        return self.before_slot + self.after_slot

    @property
    def landed_share(self) -> float | None:
        """Share of the blocks' transactions that the lane had seen; None of empty blocks."""
        landed = self.included + self.never_seen
        return self.included / landed if landed else None


@dataclass(frozen=True, slots=True)
class Coverage:
    """What every lane saw over the windows of blocks `first` to `last`."""

    first: int
    last: int
    opened_ns: int
    closed_ns: int
    blocks: int
    synthetic: bool
    together: LaneCoverage
    lanes: tuple[LaneCoverage, ...]
    pairs: tuple[LaneCoverage, ...]

    @property
    def rows(self) -> tuple[LaneCoverage, ...]:
        """Every lane alone, then every ordered pair."""
        return (*self.lanes, *self.pairs)

    def first_seen_share(self, lane: LaneCoverage) -> float | None:
        """Return the share of all transactions seen that this lane saw before every other."""
        return lane.seen_first / self.together.seen if self.together.seen else None


def measure(
    store: Store,
    *,
    first: int = 0,
    last: int = LARGEST_NUMBER,
    closed_from_ns: int = 0,
    closed_before_ns: int = LARGEST_NUMBER,
) -> Coverage | None:
    """Compare the lanes over the windows of blocks `first` to `last` that closed in the time given.

    None when the store holds no such window.
    """
    bounds = {"first": first, "last": last, "start": closed_from_ns, "end": closed_before_ns}
    found = store.rows(_SPAN_SQL, bounds)
    if not found:
        return None
    [(first, last, opened_ns, closed_ns, blocks, synthetic)] = found
    earliest = max(first - PENDING_WINDOWS + 1, 0)
    rows = store.rows(_COVERAGE_SQL, {"first": first, "last": last, "earliest": earliest})
    landed = int(store.scalar(_LANDED_SQL, {"first": first, "last": last}))
    measured = {(row[0], row[1]): _Measured(*row[2:]) for row in rows}
    alone = {lane: of_lane for (lane, other), of_lane in measured.items() if not other}
    together = alone.pop("", _NOTHING)
    return Coverage(
        first,
        last,
        opened_ns,
        closed_ns,
        blocks,
        bool(synthetic),
        _lane("", together, landed),
        tuple(_lane(name, found, landed) for name, found in alone.items()),
        tuple(
            _pair(one, other, alone[one].seen, measured.get((one, other), _NOTHING))
            for one, other in permutations(alone, 2)
        ),
    )


class _Measured(NamedTuple):
    """A row of the statement behind its two lanes."""

    sightings: int
    seen: int
    alone: int
    shared: int
    seen_first: int
    median_lead_ns: int
    p95_lead_ns: int
    before_slot: int
    after_slot: int


_NOTHING = _Measured(0, 0, 0, 0, 0, 0, 0, 0, 0)


def _lane(lane: str, found: _Measured, landed: int) -> LaneCoverage:
    return LaneCoverage(
        lane=lane,
        other="",
        sightings=found.sightings,
        seen=found.seen,
        exclusive=found.alone,
        shared=found.shared,
        seen_first=found.seen_first,
        median_lead_ns=None,
        p95_lead_ns=None,
        before_slot=found.before_slot,
        after_slot=found.after_slot,
        never_seen=landed - found.before_slot - found.after_slot,
    )


def _pair(lane: str, other: str, seen: int, both: _Measured) -> LaneCoverage:
    return LaneCoverage(
        lane=lane,
        other=other,
        sightings=both.sightings,
        seen=seen,
        exclusive=seen - both.seen,
        shared=both.shared,
        seen_first=both.seen_first,
        median_lead_ns=both.median_lead_ns if both.shared else None,
        p95_lead_ns=both.p95_lead_ns if both.shared else None,
        before_slot=0,
        after_slot=0,
        never_seen=0,
    )


def coverage_columns(found: Coverage) -> dict[str, list[Any]]:
    """Return a measured range as columns of the table `coverage`, without the range itself."""
    return {
        "window_start": [found.opened_ns] * len(found.rows),
        "window_end": [found.closed_ns] * len(found.rows),
        **lane_columns(found.rows),
        "synthetic": [found.synthetic] * len(found.rows),
    }


def hourly_columns(found: Coverage) -> dict[str, list[Any]]:
    """Return the blocks of an hour as columns of the table `coverage_hourly`, without the hour."""
    return {
        "blocks": [found.blocks] * len(found.rows),
        **lane_columns(found.rows),
        "synthetic": [found.synthetic] * len(found.rows),
    }


_COUNTED = (
    *("lane", "other", "sightings", "seen", "exclusive", "included", "shared", "seen_first"),
    *("before_slot", "after_slot", "never_seen"),
)


def lane_columns(rows: Sequence[LaneCoverage]) -> dict[str, list[Any]]:
    """Return what both tables say of each lane and pair."""
    return {name: [getattr(one, name) for one in rows] for name in _COUNTED} | {
        "median_ms": [milliseconds(one.median_lead_ns) for one in rows],
        "p95_ms": [milliseconds(one.p95_lead_ns) for one in rows],
    }


def milliseconds(value_ns: int | None) -> float | None:
    """Return nanoseconds as milliseconds, for people and plots."""
    return None if value_ns is None else value_ns / NS_PER_MS
