"""How a process without a /metrics of its own is heard: it leaves reports that a live process adds up.

A run of Dagster lives for a second in a forked child, and its registry ends with it. So it measures on
`run_registry()` as any process does, and `report` leaves what has been counted since the last report as one
small file of the home's `metrics` folder. The ingest daemon takes the files up and exports their sums.

A report is written whole or not at all, at most `MAX_WAITING` wait, and one that finds no room is counted in
a file that grows by a byte for each.
"""

import json
import math
import os
import threading
import time
from collections import Counter as Tally
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mev_dagster.telemetry.catalogue import ROOMS
from mev_dagster.telemetry.logging import logger
from mev_dagster.telemetry.metric import MAX_LABEL_SETS, OTHER, Declared

FOLDER = "metrics"
MAX_WAITING = 4_096
MAX_REPORT_BYTES = 1 << 20
MAX_LOST_BYTES = 1 << 20
_SUFFIX, _PART, _LOST = ".json", ".part", "lost"
_PART_SECONDS = 60

Key = tuple[str, tuple[tuple[str, str], ...]]
Samples = dict[Key, float]

_numbers = count()
log = logger("run_reports")


class _Sample(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    name: str
    labels: dict[str, str]
    grown: float


def _declared() -> Mapping[str, Declared[Any]]:
    """Return what a report may hold, by the names of its samples: whatever adds up, so no gauge."""
    found = {}
    for room in ROOMS:
        for one in room.declared():
            if one.kind_name == "counter":
                found[one.name] = one
            elif one.kind_name == "histogram":
                found |= dict.fromkeys((f"{one.name}_{end}" for end in ("bucket", "sum", "count")), one)
    return found


# In the run


class RunRegistry(CollectorRegistry):
    """The registry of a process that reports instead of being scraped."""

    def __init__(self) -> None:
        super().__init__()
        self._told: Samples = {}

    def grown(self) -> list[tuple[str, dict[str, str], float]]:
        """Return by how much every sum has grown since this was last asked."""
        known = _declared()
        now = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in self.collect()
            for sample in family.samples
            if sample.name in known
        }
        grown = [
            (name, dict(labels), value - self._told.get((name, labels), 0.0))
            for (name, labels), value in now.items()
        ]
        self._told = now
        return [one for one in grown if one[2] > 0]


@lru_cache(maxsize=1)
def _registry_of(_pid: int) -> RunRegistry:
    return RunRegistry()


def run_registry() -> RunRegistry:
    """Return the registry of this process; a forked child has one of its own, empty."""
    return _registry_of(os.getpid())


def report(home: Path, registry: RunRegistry) -> bool:
    """Leave what was counted since the last report; say whether there was room for it."""
    grown = registry.grown()
    if not grown:
        return True
    try:
        return _left(home / FOLDER, grown)
    except OSError as error:  # a disk that is full loses figures, never the run
        log.warning("report lost", error=error)
        return False


def _left(folder: Path, grown: list[tuple[str, dict[str, str], float]]) -> bool:
    folder.mkdir(parents=True, exist_ok=True)
    if sum(1 for _ in folder.iterdir()) >= MAX_WAITING:
        with (folder / _LOST).open("ab") as lost:
            if lost.tell() < MAX_LOST_BYTES:
                lost.write(b".")
        return False
    path = folder / f"{time.time_ns():020d}-{os.getpid()}-{next(_numbers)}{_SUFFIX}"
    part = path.with_suffix(_PART)
    part.write_text(json.dumps(grown, separators=(",", ":")))
    part.rename(path)
    return True


# In the live process


class ReportedSums(Collector):
    """The sums of all reports taken up so far, as one collector of a live process's registry."""

    def __init__(self) -> None:
        self._declared = _declared()
        self._sums: Samples = {}
        self._series: dict[str, set[tuple[tuple[str, str], ...]]] = {}
        self._lock = threading.Lock()

    def take_up(self, home: Path) -> Tally[str]:
        """Add and remove the reports that wait; return how many were `taken`, `unreadable`, `lost`."""
        folder, outcomes = home / FOLDER, Tally[str]()
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.suffix == _SUFFIX:
                outcomes["taken" if self._add(path) else "unreadable"] += 1
                path.unlink(missing_ok=True)
            elif path.name == _LOST:
                outcomes["lost"] += path.stat().st_size
                path.unlink()
            elif path.suffix == _PART and path.stat().st_mtime < time.time() - _PART_SECONDS:
                path.unlink(missing_ok=True)  # of a run that was killed while it wrote
        return outcomes

    def _add(self, path: Path) -> bool:
        try:
            if path.stat().st_size > MAX_REPORT_BYTES:
                return False
            samples = msgspec.json.decode(path.read_bytes(), type=list[_Sample])
        except (OSError, msgspec.DecodeError):
            return False
        if not all(map(self._is_ours, samples)):
            return False
        with self._lock:
            for sample in samples:
                key = (sample.name, self._bounded(sample))
                self._sums[key] = self._sums.get(key, 0.0) + sample.grown
        return True

    def _is_ours(self, sample: _Sample) -> bool:
        one = self._declared.get(sample.name)
        if one is None or not math.isfinite(sample.grown) or sample.grown < 0:
            return False
        expected = {*one.labels, "le"} if sample.name.endswith("_bucket") else set(one.labels)
        return set(sample.labels) == expected

    def _bounded(self, sample: _Sample) -> tuple[tuple[str, str], ...]:
        """Return the sample's labels, or `other` for all when the metric has as many series as it may."""
        known = self._series.setdefault(self._declared[sample.name].name, set())
        own = tuple(sorted((name, value) for name, value in sample.labels.items() if name != "le"))
        if own not in known and len(known) >= MAX_LABEL_SETS:
            own = tuple((name, OTHER) for name, _ in own)
        known.add(own)
        bound = sample.labels.get("le")
        return own if bound is None else (*own, ("le", bound))

    def collect(self) -> Iterator[Metric]:
        """Yield a family for every metric that was reported."""
        with self._lock:
            sums = dict(self._sums)
        families: dict[str, Metric] = {}
        for (name, labels), value in sorted(sums.items(), key=_in_order):
            one = self._declared[name]
            family = families.setdefault(
                one.name, Metric(one.name.removesuffix("_total"), one.meaning, one.kind_name)
            )
            family.add_sample(name, dict(labels), value)
        yield from families.values()


def _in_order(item: tuple[Key, float]) -> tuple[str, tuple[tuple[str, str], ...], float]:
    """Order a histogram's buckets by their bounds."""
    (name, labels), _ = item
    bounds = [float(value) for label, value in labels if label == "le"]
    return name, tuple(one for one in labels if one[0] != "le"), bounds[0] if bounds else 0.0
