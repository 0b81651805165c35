"""When a node's pending subscription is mute: its silence against what its pool or its blocks hold.

A quiet network and a dead subscription look alike from the socket. No I/O, no clock: every method is told.
"""

from mev_dagster.units import NS_PER_SECOND

QUIET_NS = 12 * NS_PER_SECOND  # a slot
ONLY_IN_BLOCKS = 3  # a builder's own transactions are in no mempool; several a slot are somebody's


class PendingSilence:
    """`why` says what the subscription did not show, for as long as it shows nothing."""

    def __init__(self) -> None:
        self.why = ""
        self._heard_ns = 0
        self._only_in_blocks = 0

    def heard(self, notified_ns: int) -> None:
        """Take when the subscription was heard last; anything it tells ends its silence."""
        if notified_ns > self._heard_ns:
            self.why, self._heard_ns, self._only_in_blocks = "", notified_ns, 0

    def pool_showed(self, count: int, notified_ns: int, now_ns: int) -> bool:
        """Take how many transactions only the pool showed; say whether the subscription is mute."""
        self.heard(notified_ns)
        found = f"the pool showed {count} transactions that it did not"
        return count > 0 and self._judged(found, notified_ns, now_ns)

    def block_brought(self, count: int, notified_ns: int, now_ns: int) -> bool:
        """Take how many transactions only a block showed; say whether the subscription is mute."""
        self.heard(notified_ns)
        self._only_in_blocks += count
        if self._only_in_blocks < ONLY_IN_BLOCKS:
            return False
        found = f"blocks held {self._only_in_blocks} transactions that it did not show"
        return self._judged(found, notified_ns, now_ns)

    def _judged(self, found: str, notified_ns: int, now_ns: int) -> bool:
        if now_ns - notified_ns <= QUIET_NS:
            return False
        self.why, self._only_in_blocks = f"newPendingTransactions is silent: {found}", 0
        return True
