"""The one policy for what is tried again: tenacity's loop, our clocks, our generator, our count.

    REOPENED = Retry("store_endpoint", on=(StoreUnreachable,), within_seconds=10.0)
    client = REOPENED.sync()(connect, settings)

A `Retry` is data: what is tried, after which failures, with which pauses, how often or until when. What
waits and draws is handed in when it is used, so a test neither waits nor guesses. The last failure is raised
as it was. Every further try is counted as `mev_retries_total` by what was tried and why.
"""

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from tenacity import AsyncRetrying, RetryCallState, Retrying, retry_if_exception

from mev_dagster.telemetry.catalogue import RetryMetrics
from mev_dagster.telemetry.clock import Clock
from mev_dagster.telemetry.run_reports import run_registry
from mev_dagster.units import NS_PER_SECOND

_MAX_EXPONENT = 64  # beyond it every limit is reached, and a float has no room for more


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that grow from the first to the limit; jitter leaves at least the share `least` of each."""

    first_seconds: float = 0.25
    limit_seconds: float = 30.0
    growth: float = 2.0
    least: float = 0.5

    def whole_seconds(self, failures: int) -> float:
        """Return the pause after so many failures (the first is 1), before jitter."""
        return min(self.limit_seconds, self.first_seconds * self.growth ** min(failures - 1, _MAX_EXPONENT))

    def seconds(self, failures: int, rng: random.Random) -> float:
        """Return the pause after so many failures, cut by jitter so that peers spread out."""
        return self.whole_seconds(failures) * rng.uniform(self.least, 1.0)


class AskedAgain(Exception):
    """Raised by a try that knows itself how long to wait before the next one, and why."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.code = reason
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Retry:
    """What is tried again after the failures `on` but not `never`, `attempts` times at most or so long."""

    what: str
    on: tuple[type[BaseException], ...] = (AskedAgain,)
    never: tuple[type[BaseException], ...] = ()
    backoff: Backoff = Backoff()
    attempts: int | None = None
    within_seconds: float | None = None

    def sync(
        self,
        *,
        rng: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        registry: CollectorRegistry | None = None,
    ) -> Retrying:
        """Return the loop for a thread; `clock` counts seconds."""
        loop = _Loop(self, rng, clock, registry)
        return Retrying(
            retry=retry_if_exception(loop.is_tried_again),
            wait=loop.pause,
            stop=loop.is_over,
            before_sleep=loop.count,
            sleep=sleep,
            reraise=True,
        )

    def asynchronous(
        self,
        clock: Clock,
        *,
        rng: random.Random | None = None,
        sleep: Callable[[float], Awaitable[None]] | None = None,
        registry: CollectorRegistry | None = None,
    ) -> AsyncRetrying:
        """Return the loop for a task; it waits on `clock`, or on `sleep` where something may wake it."""
        loop = _Loop(self, rng, lambda: clock.mono_ns() / NS_PER_SECOND, registry)
        return AsyncRetrying(
            retry=retry_if_exception(loop.is_tried_again),
            wait=loop.pause,
            stop=loop.is_over,
            before_sleep=loop.count,
            sleep=sleep or clock.sleep,
            reraise=True,
        )


class _Loop:
    """One use of a policy, as tenacity asks about it."""

    def __init__(
        self,
        policy: Retry,
        rng: random.Random | None,
        clock: Callable[[], float],
        registry: CollectorRegistry | None,
    ) -> None:
        self._policy, self._clock, self._registry = policy, clock, registry
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._ends = None if policy.within_seconds is None else clock() + policy.within_seconds

    def is_tried_again(self, error: BaseException) -> bool:
        """Say whether a failure is one that another try may mend."""
        return isinstance(error, self._policy.on) and not isinstance(error, self._policy.never)

    def pause(self, state: RetryCallState) -> float:
        """Return how long to wait after the failure that just happened."""
        error = _failure(state)
        if isinstance(error, AskedAgain):
            return error.seconds
        return self._policy.backoff.seconds(state.attempt_number, self._rng)

    def is_over(self, state: RetryCallState) -> bool:
        """Say whether there is no further try: enough were made, or the pause would outlast the deadline."""
        if self._policy.attempts is not None and state.attempt_number >= self._policy.attempts:
            return True
        return self._ends is not None and self._clock() + state.upcoming_sleep >= self._ends

    def count(self, state: RetryCallState) -> None:
        """Count the try that follows."""
        error = _failure(state)
        metrics = RetryMetrics.on(self._registry or run_registry())
        metrics.retries.labels(self._policy.what, getattr(error, "code", type(error).__name__)).inc()


def _failure(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def starts_over(state: RetryCallState) -> None:
    """Let the next pause be the first again: the try that just failed had succeeded before."""
    state.attempt_number = 1
