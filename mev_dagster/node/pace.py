"""How fast a provider may be asked: nobody tells the limit beforehand, its refusals do.

Additive increase, multiplicative decrease, as TCP finds its share: a refusal for haste cuts the rate, at
most once per `SETTLE_NS` since one overshoot is refused many times, and every answer raises it a little.
"""

from mev_dagster.units import NS_PER_SECOND

FASTEST = 2_000.0  # calls a second; what a node of one's own takes without effort
SLOWEST = 2.0
CUT = 0.6
RAISE = 0.5
SETTLE_NS = NS_PER_SECOND
LONGEST_SECONDS = 60.0  # that a provider may ask us to wait


class Pace:
    """The rate of one provider's calls. No clock: every method is told the time."""

    def __init__(self, *, per_second: float = FASTEST) -> None:
        self.per_second = per_second
        self.refusals = 0
        self._next_ns = 0
        self._settled_ns = 0

    def wait_ns(self, now_ns: int) -> int:
        """Take the next place and return how long to wait for it."""
        place = max(self._next_ns, now_ns)
        self._next_ns = place + round(NS_PER_SECOND / self.per_second)
        return place - now_ns

    def answered(self) -> None:
        """Learn from an answer."""
        self.per_second = min(FASTEST, self.per_second + RAISE)

    def refused(self, now_ns: int, retry_after_seconds: float | None = None) -> None:
        """Learn from a refusal for haste; who names a time is asked nothing before it."""
        self.refusals += 1
        if retry_after_seconds is not None:
            patience_ns = round(min(retry_after_seconds, LONGEST_SECONDS) * NS_PER_SECOND)
            self._next_ns = max(self._next_ns, now_ns + patience_ns)
        if now_ns >= self._settled_ns:
            self.per_second = max(SLOWEST, min(self.per_second, 200.0) * CUT)
            self._settled_ns = now_ns + SETTLE_NS
