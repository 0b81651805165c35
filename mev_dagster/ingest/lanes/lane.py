"""What a lane is, and what makes one from what the daemon is told."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypeAlias

from prometheus_client import CollectorRegistry

from mev_dagster.events.types import Lane
from mev_dagster.ingest.queue import ArrivalQueue
from mev_dagster.node.identity import ChainPin
from mev_dagster.settings import Settings
from mev_dagster.settings.items import Option
from mev_dagster.telemetry.clock import Clock
from mev_dagster.windows.canonical_chain import CanonicalChain
from mev_dagster.windows.memory import DecodedTransactions


class IngestLane(Protocol):
    """One source of arrivals.

    A lane of another package is `Lane.PRIVATE`, and its `source` begins with its own name: events, rows and
    metrics tell it from others by that, and the numbers that stand in event logs never change. A lane that
    can tell what its source keeps from it has a text `trouble` besides, empty while there is none.
    """

    kind: Lane
    source: str
    connected: bool

    async def run(self, queue: ArrivalQueue) -> None:
        """Deliver until the source is exhausted; raise a `MevError` when it is lost."""
        ...


@dataclass(frozen=True, slots=True)
class LaneContext:
    """What a lane may share with the pipeline."""

    clock: Clock
    chain: CanonicalChain
    knows: Callable[[bytes], bool]
    decoded: DecodedTransactions
    registry: CollectorRegistry
    pin: ChainPin = field(default_factory=ChainPin)
    """The chain of the log, checked at every connect."""


LaneFactory: TypeAlias = Callable[[LaneContext], IngestLane]


@dataclass(frozen=True, slots=True)
class LaneOrder:
    """What a lane is told: the settings of the process, and its own options."""

    settings: Settings
    options: Mapping[str, Option]


class LaneMaker(ABC):
    """Makes one lane, or one for each of several sources. Its name is the one it is registered under."""

    options: ClassVar[frozenset[str]] = frozenset()
    """What it may be told beside the settings: `[[lanes]]` of a profile, or flags of `mev ingest`."""

    def wanted(self, order: LaneOrder) -> bool:
        """Say whether the lane runs although nobody named it."""
        return False

    @abstractmethod
    def prepare(self, order: LaneOrder) -> LaneFactory:
        """Check what the lane is told, before anything runs, and return what makes it."""

    def prepare_all(self, order: LaneOrder) -> tuple[LaneFactory, ...]:
        """Return what makes the lane for each source that it is told of."""
        return (self.prepare(order),)
