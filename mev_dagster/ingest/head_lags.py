"""How old the newest head is, and how long each head takes through the daemon's own stages.

A live head is announced with its stamps; one of a capture carries those of its own time, so it arrives when
the daemon reads it. Both are measured on the monotonic clock: setting the wall clock delays no block.
"""

from collections.abc import Iterable

from cachetools import FIFOCache
from prometheus_client import CollectorRegistry

from mev_dagster.chain.blocks import decode_header
from mev_dagster.events.types import BlockSeen, Lane
from mev_dagster.ingest.arrivals import Arrival, BlockArrived
from mev_dagster.telemetry.catalogue import BlockMetrics
from mev_dagster.telemetry.clock import Clock
from mev_dagster.telemetry.metrics import GrowingAge
from mev_dagster.units import NS_PER_SECOND

HEADS_REMEMBERED = 4_096


class HeadLags:
    """Follows every head of this process from its arrival to the store."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self._lag = BlockMetrics.on(registry).block_lag
        self._clock = clock
        self._arrived: FIFOCache[bytes, int] = FIFOCache(HEADS_REMEMBERED)
        self._logged: FIFOCache[int, int] = FIFOCache(HEADS_REMEMBERED)
        self.age = GrowingAge(clock)
        self.still = GrowingAge(clock)
        """How long the head has stood still; before the first one, how long there has been none."""

    def fetched(self, arrivals: Iterable[Arrival]) -> None:
        """Note the blocks among what lanes delivered: each is here with its body."""
        now_ns = self._clock.mono_ns()
        for one in arrivals:
            if isinstance(one, BlockArrived):
                arrived_ns = now_ns if one.lane is Lane.CAPTURE else one.mono_ns
                self._arrived[one.block.hash] = arrived_ns
                self._observe("fetched", now_ns - arrived_ns)

    def logged(self, seq: int, head: BlockSeen) -> None:
        """Note a head that is durable in the log."""
        now_ns = self._clock.mono_ns()
        self.still.renew()
        self.age.renew(head.wall_ns - decode_header(head.header_rlp).timestamp * NS_PER_SECOND)
        arrived_ns = self._arrived.pop(head.block_hash, None)
        if arrived_ns is not None:
            self._logged[seq] = arrived_ns
            self._observe("logged", now_ns - arrived_ns)

    def stored(self, seq: int, wall_ns: int, lane: int) -> None:
        """Note a head that the store holds; one that an earlier process logged has only its wall time."""
        arrived_ns = self._logged.pop(seq, None)
        if arrived_ns is not None:
            self._observe("stored", self._clock.mono_ns() - arrived_ns)
        elif lane != Lane.CAPTURE:
            self._observe("stored", self._clock.wall_ns() - wall_ns)

    def _observe(self, stage: str, lag_ns: int) -> None:
        self._lag.labels(stage).observe(max(0, lag_ns) / NS_PER_SECOND)
