"""Only a few peers at a time may be in the middle of a large frame: all of them would fill the memory."""

from collections.abc import Callable, Hashable

from mev_dagster.units import MIB

LARGE_FRAME_BYTES = MIB  # a transaction with as many blobs as a block holds is about this large
SLOTS = 4
SECONDS = 10.0  # for one large frame; then its slot goes to someone who sends


class LargeFrames:
    """Slots for large frames, given in the order they were asked for."""

    def __init__(self, slots: int = SLOTS) -> None:
        self._free = slots
        self._holders: set[Hashable] = set()
        self._waiting: dict[Hashable, Callable[[], None]] = {}

    def take(self, holder: Hashable, granted: Callable[[], None]) -> bool:
        """Take a slot, or wait for one: then `granted` is called when there is."""
        if holder in self._holders:
            return True
        if self._free:
            self._free -= 1
            self._holders.add(holder)
            return True
        self._waiting[holder] = granted
        return False

    def release(self, holder: Hashable) -> None:
        """Give a slot back, or stop waiting for one."""
        self._waiting.pop(holder, None)
        if holder not in self._holders:
            return
        self._holders.discard(holder)
        self._free += 1
        if self._waiting:
            following = next(iter(self._waiting))
            granted = self._waiting.pop(following)
            self._free -= 1
            self._holders.add(following)
            granted()
