"""When a submission must be over: with its slot on a live chain, after a fixed time anywhere else."""

from mev_dagster.telemetry.clock import Clock
from mev_dagster.units import NS_PER_MS, NS_PER_SECOND


def submission_deadline_ns(clock: Clock, *, bound_ms: int, slot_end_s: int | None = None) -> int:
    """Return the deadline on the monotonic clock: `bound_ms` from now, or sooner when the slot ends sooner.

    A slot that has ended leaves no time at all.
    """
    left_ns = bound_ms * NS_PER_MS
    if slot_end_s is not None:
        left_ns = min(left_ns, max(slot_end_s * NS_PER_SECOND - clock.wall_ns(), 0))
    return clock.mono_ns() + left_ns
