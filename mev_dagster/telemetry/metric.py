"""What a metric is, and how a process makes the metrics of a room from their declarations.

    class RelayMetrics(RoomMetrics):
        answered = counter("relay_answers_total", "answers", "Submissions by the answer's status", "status")

    metrics = RelayMetrics(registry)
    metrics.answered.labels("200").inc()

A declaration is data until a room's metrics are made on a registry: nothing is registered at import, so two
daemons in one test share no counters. On the class a declaration is itself, to be listed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar, cast, overload
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

MAX_LABEL_SETS = 256
"""Series of one metric; whatever would be one more is counted as `other`."""
OTHER = "other"

M = TypeVar("M", Counter, Gauge, Histogram)


@dataclass(frozen=True, slots=True)
class Declared(Generic[M]):
    """One metric: its name as it is exported, its kind, the unit of its values, its labels, its meaning."""

    kind: type[M]
    name: str
    unit: str
    meaning: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()

    @overload
    def __get__(self, instance: None, owner: type) -> "Declared[M]": ...
    @overload
    def __get__(self, instance: "RoomMetrics", owner: type) -> M: ...
    def __get__(self, instance: "RoomMetrics | None", owner: type) -> "Declared[M] | M":
        return self if instance is None else cast(M, instance.made[self.name])

    @property
    def kind_name(self) -> str:
        """`counter`, `gauge` or `histogram`."""
        return self.kind.__name__.lower()

    def make(self, registry: CollectorRegistry) -> M:
        """Return a new metric on `registry`."""
        more: dict[str, Any] = {"buckets": self.buckets} if self.buckets else {}
        bounded = cast(type[M], _BOUNDED[self.kind])
        return bounded(self.name, self.meaning, self.labels, registry=registry, **more)


def counter(name: str, unit: str, meaning: str, *labels: str) -> Declared[Counter]:
    """Declare what only grows."""
    return Declared(Counter, name, unit, meaning, labels)


def gauge(name: str, unit: str, meaning: str, *labels: str) -> Declared[Gauge]:
    """Declare what goes up and down; an age is computed when it is read, so give it a function."""
    return Declared(Gauge, name, unit, meaning, labels)


def histogram(
    name: str, unit: str, meaning: str, *labels: str, buckets: tuple[float, ...]
) -> Declared[Histogram]:
    """Declare a distribution by the upper bounds of its buckets."""
    return Declared(Histogram, name, unit, meaning, labels, buckets)


class RoomMetrics:
    """The metrics of one room on one registry; a subclass declares them."""

    exported_by = ""
    """The process whose /metrics shows them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.made: dict[str, Counter | Gauge | Histogram] = {
            one.name: one.make(registry) for one in self.declared()
        }

    @classmethod
    def on(cls, registry: CollectorRegistry) -> Self:
        """Return this room's metrics on a registry, made when they are first asked for."""
        made = _MADE.setdefault(registry, {})
        if cls not in made:
            made[cls] = cls(registry)
        return cast(Self, made[cls])

    @classmethod
    def declared(cls) -> "Iterator[Declared[Any]]":
        """Yield the declarations of the room, in their order."""
        for base in reversed(cls.__mro__):
            yield from (value for value in vars(base).values() if isinstance(value, Declared))


_MADE: WeakKeyDictionary[CollectorRegistry, dict[type[RoomMetrics], RoomMetrics]] = WeakKeyDictionary()


class _Bounded:
    """Keeps a metric's series to `MAX_LABEL_SETS`: a label may come from a peer, a node or a relay."""

    _known: set[tuple[str, ...]]

    def labels(self, *values: Any, **named: Any) -> Any:
        names = self._labelnames  # type: ignore[attr-defined]
        key = tuple(str(named[name]) for name in names) if named else tuple(map(str, values))
        known = self.__dict__.setdefault("_known", set())
        if key not in known:
            if len(known) >= MAX_LABEL_SETS:
                key = (OTHER,) * len(names)
            known.add(key)
        return super().labels(*key)  # type: ignore[misc]


class _BoundedCounter(_Bounded, Counter):
    """A counter whose series are bounded."""


class _BoundedGauge(_Bounded, Gauge):
    """A gauge whose series are bounded."""


class _BoundedHistogram(_Bounded, Histogram):
    """A histogram whose series are bounded."""


_BOUNDED: dict[type, type] = {Counter: _BoundedCounter, Gauge: _BoundedGauge, Histogram: _BoundedHistogram}
