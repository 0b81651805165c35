"""A process's registry, and how its /metrics is written: every family once, whoever counted it.

A process makes a registry, its rooms make their metrics on it (`catalogue`), and `exposition` writes it out.
"""

import platform
from collections.abc import Iterator
from importlib.metadata import version

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mev_dagster.telemetry.catalogue import ProcessMetrics
from mev_dagster.telemetry.clock import Clock, SystemClock
from mev_dagster.units import NS_PER_SECOND


def process_registry(clock: Clock | None = None) -> CollectorRegistry:
    """Return a registry that already reports this process: its build, clock, CPU, memory, open files, GC."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    metrics = ProcessMetrics(registry)
    metrics.build_info.labels(version("mev_dagster"), platform.python_version()).set(1)
    metrics.clock_step.set_function(ClockStep(clock or SystemClock()).seconds)
    return registry


class ClockStep:
    """By how much the wall clock was set: what it gained over the monotonic one since the start."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._first_ns = self._offset_ns()

    def seconds(self) -> float:
        """Return the sum of all steps since then; slow correction of a clock adds up here too."""
        return (self._offset_ns() - self._first_ns) / NS_PER_SECOND

    def _offset_ns(self) -> int:
        return self._clock.wall_ns() - self._clock.mono_ns()


class GrowingAge:
    """An age that is worked out when it is read, so that it grows while nothing happens.

    It keeps to the monotonic clock: a wall clock that is set makes nothing younger or older.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._born_ns = clock.mono_ns()

    def renew(self, age_ns: int = 0) -> None:
        """Begin again, with something that is already `age_ns` old."""
        self._born_ns = self._clock.mono_ns() - age_ns

    def seconds(self) -> float:
        """Return the age now."""
        return (self._clock.mono_ns() - self._born_ns) / NS_PER_SECOND


class _Merged(Collector):
    """The families of a registry, those of one name joined: two collectors may count the same thing."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for family in self._registry.collect():
            known = families.setdefault(family.name, family)
            if known is not family:
                known.samples = [*known.samples, *family.samples]
        yield from families.values()


def exposition(registry: CollectorRegistry) -> tuple[bytes, str]:
    """Return the registry in Prometheus' text format and its content type."""
    merged = CollectorRegistry()
    merged.register(_Merged(registry))
    return generate_latest(merged), CONTENT_TYPE_LATEST
