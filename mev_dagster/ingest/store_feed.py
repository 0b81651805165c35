"""Feeds the store from the log for as long as the daemon runs: a lost store waits, the log keeps all."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress

from mev_dagster.errors import StoreError, StoreOfAnotherChain, StoreUnreachable
from mev_dagster.ingest.feeder import BATCH_EVENTS, StoreFeeder
from mev_dagster.ingest.metrics import IngestMetrics
from mev_dagster.telemetry.clock import Clock
from mev_dagster.telemetry.logging import logger
from mev_dagster.telemetry.retries import Retry

FEED_INTERVAL_SECONDS = 0.5  # rows of a quiet minute are at most this old
FED = Retry("store_feed", on=(StoreError, StoreUnreachable))

log = logger("ingest")


class StoreFeed:
    """The loop around a feeder. `run` returns once nothing is left after `stop`."""

    def __init__(
        self,
        feeder: StoreFeeder,
        metrics: IngestMetrics,
        clock: Clock,
        *,
        rng: random.Random,
        durable_seq: Callable[[], int],
    ) -> None:
        self._feeder, self._metrics, self._clock, self._rng = feeder, metrics, clock, rng
        self._durable_seq = durable_seq
        self._now = asyncio.Event()
        self._stopping = False
        self.error = ""
        """What the store said when it was lost last."""
        self.wrong_chain = False
        """Whether that was because the store is of another chain than the log."""

    @property
    def stored_seq(self) -> int:
        """The last event that the store holds."""
        return self._feeder.stored_seq

    @property
    def backlog(self) -> int:
        """How many events are logged that the store does not hold."""
        return max(0, self._durable_seq() - self.stored_seq)

    def wake(self) -> None:
        """Say that there is a reason to feed now."""
        self._now.set()

    def stop(self) -> None:
        """End after what the log holds now."""
        self._stopping = True
        self._now.set()

    def close(self) -> None:
        """Let the feeder's reader and store go."""
        self._feeder.close()

    async def run(self) -> None:
        """Hand the store batch after batch."""
        while True:
            fed = FED.asynchronous(
                self._clock, rng=self._rng, sleep=self._pause, registry=self._metrics.registry
            )
            step: tuple[int, bool] = await fed(self._once)
            count, stopping = step
            if count == 0 and stopping:
                return
            if count < BATCH_EVENTS and not stopping:
                await self._pause(FEED_INTERVAL_SECONDS)

    async def _once(self) -> tuple[int, bool]:
        """Hand the store a batch; return its size, and whether the daemon was stopping when it was taken.

        A store that is lost while the daemon stops counts as fed: the log keeps what it has not got.
        """
        stopping = self._stopping
        self._now.clear()
        try:
            count = await asyncio.to_thread(self._feeder.step)
        except (StoreError, StoreUnreachable) as error:
            self.error, self.wrong_chain = str(error), isinstance(error, StoreOfAnotherChain)
            self._metrics.store_failures.inc()
            log.warning("store lost", error=error, backlog=self.backlog)
            if stopping:
                return 0, stopping
            raise
        self.wrong_chain = False
        return count, stopping

    async def _pause(self, seconds: float) -> None:
        """Wait until there is a reason to feed, at most `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._now.wait()
