"""When a submission must be over, on the clock its client waits by."""

from mev_dagster.telemetry.clock import Clock
from mev_dagster.units import NS_PER_MS


def submission_deadline_ns(clock: Clock, *, bound_ms: int) -> int:
    """Return the monotonic moment `bound_ms` from now."""
    return clock.mono_ns() + bound_ms * NS_PER_MS
