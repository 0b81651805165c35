"""Lane against lane: who saw which transaction of a block's window first, alone, or not at all.

A pure function of the window's rows, so that live, replay and backfill agree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from mev_dagster.ingest.rows import Rows

NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class LaneCoverage:
    """What one lane saw; with `other` set, how it compares with that lane on what both saw.

    Times are integer nanoseconds; a lead is how much earlier this lane was. `before_slot`, `after_slot` and
    `never_seen` part the block's own transactions.
    """

    lane: str
    other: str
    seen: int
    exclusive: int
    included: int
    shared: int
    seen_first: int
    median_lead_ns: int | None
    p95_lead_ns: int | None
    before_slot: int
    after_slot: int
    never_seen: int


def window_coverage(rows: Rows) -> list[LaneCoverage]:
    """Compare the lanes of one window; one entry a lane and one for each ordered pair of lanes."""
    (window,) = rows.written["ingest_windows"]
    included = [row["tx_hash"] for row in rows.written.get("block_txs", [])]
    slot_start_ns = window["block_time"]
    first = _first_sightings(rows.written.get("tx_sightings", []))
    found = [_alone(lane, first, included, slot_start_ns) for lane in sorted(first)]
    return found + [_against(lane, other, first) for lane, other in permutations(sorted(first), 2)]


def coverage_columns(rows: Rows, found: Sequence[LaneCoverage]) -> Mapping[str, list[Any]]:
    """Return the coverage of a window as columns of the table `coverage`."""
    (window,) = rows.written["ingest_windows"]
    return {
        "window_start": [window["opened_at"]] * len(found),
        "window_end": [window["closed_at"]] * len(found),
        "first_block_number": [window["block_number"]] * len(found),
        "last_block_number": [window["block_number"]] * len(found),
        "lane": [one.lane for one in found],
        "other": [one.other for one in found],
        "seen": [one.seen for one in found],
        "exclusive": [one.exclusive for one in found],
        "included": [one.included for one in found],
        "shared": [one.shared for one in found],
        "seen_first": [one.seen_first for one in found],
        "median_ms": [_ms(one.median_lead_ns) for one in found],
        "p95_ms": [_ms(one.p95_lead_ns) for one in found],
        "before_slot": [one.before_slot for one in found],
        "after_slot": [one.after_slot for one in found],
        "never_seen": [one.never_seen for one in found],
        "synthetic": [window["synthetic"]] * len(found),
    }


def _first_sightings(sightings: Sequence[Mapping[str, Any]]) -> dict[str, dict[bytes, int]]:
    """Return when each lane first saw each hash."""
    first: dict[str, dict[bytes, int]] = {}
    for row in sightings:
        of_lane = first.setdefault(f"{row['lane']}/{row['source']}", {})
        seen_at = of_lane.setdefault(row["tx_hash"], row["seen_at"])
        of_lane[row["tx_hash"]] = min(seen_at, row["seen_at"])
    return first


def _alone(
    lane: str, first: Mapping[str, Mapping[bytes, int]], included: Sequence[bytes], slot_start_ns: int
) -> LaneCoverage:
    seen = first[lane]
    elsewhere = {tx_hash for other, hashes in first.items() if other != lane for tx_hash in hashes}
    times = [seen[tx_hash] for tx_hash in included if tx_hash in seen]
    return LaneCoverage(
        lane=lane,
        other="",
        seen=len(seen),
        exclusive=len(seen.keys() - elsewhere),
        included=len(times),
        shared=0,
        seen_first=0,
        median_lead_ns=None,
        p95_lead_ns=None,
        before_slot=sum(time < slot_start_ns for time in times),
        after_slot=sum(time >= slot_start_ns for time in times),
        never_seen=len(included) - len(times),
    )


def _against(lane: str, other: str, first: Mapping[str, Mapping[bytes, int]]) -> LaneCoverage:
    mine, theirs = first[lane], first[other]
    leads = sorted(theirs[tx_hash] - mine[tx_hash] for tx_hash in mine.keys() & theirs.keys())
    return LaneCoverage(
        lane=lane,
        other=other,
        seen=len(mine),
        exclusive=len(mine.keys() - theirs.keys()),
        included=0,
        shared=len(leads),
        seen_first=sum(lead > 0 for lead in leads),
        median_lead_ns=_quantile(leads, 50),
        p95_lead_ns=_quantile(leads, 95),
        before_slot=0,
        after_slot=0,
        never_seen=0,
    )


def _quantile(ordered: Sequence[int], percent: int) -> int | None:
    """Return the nearest-rank quantile of sorted values; None of none."""
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else None


def _ms(value_ns: int | None) -> float | None:
    return None if value_ns is None else value_ns / NS_PER_MS
