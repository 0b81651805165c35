"""The bodies a lane still wants: one attempt is never final.

A hash stays here until the log has its body, from this lane, another one or its block, or until it is too
old to matter. What was asked for in vain is asked for again, later each time. No I/O, no clock: every method
is told the time.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass

from mev_dagster.units import NS_PER_MS, NS_PER_SECOND

FIRST_PAUSE_NS = 200 * NS_PER_MS  # a pool indexes after it announces
LONGEST_PAUSE_NS = 12 * NS_PER_SECOND  # a slot
LIFE_NS = 300 * NS_PER_SECOND
CAPACITY = 32_768  # a hash that waits costs about 200 bytes


@dataclass(slots=True)
class _WantedBody:
    expires_ns: int
    due_ns: int
    attempts: int = 0


class WantedBodies:
    """Announced hashes whose bodies the log does not hold."""

    def __init__(
        self, knows: Callable[[bytes], bool], *, capacity: int = CAPACITY, life_ns: int = LIFE_NS
    ) -> None:
        self.expired = 0
        self._knows, self._capacity, self._life_ns = knows, capacity, life_ns
        self._entries: dict[bytes, _WantedBody] = {}
        self._due: list[tuple[int, bytes]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, tx_hash: bytes) -> bool:
        return tx_hash in self._entries

    def want(self, tx_hash: bytes, now_ns: int) -> bool:
        """Add a hash, to be asked for at once; False where there is no room."""
        if tx_hash in self._entries:
            return True
        if len(self._entries) >= self._capacity:
            return False
        self._entries[tx_hash] = _WantedBody(now_ns + self._life_ns, now_ns)
        heapq.heappush(self._due, (now_ns, tx_hash))
        return True

    def due(self, now_ns: int, limit: int) -> list[bytes]:
        """Return hashes to ask for now; each is due again after a pause that grows, whatever comes of it."""
        found: list[bytes] = []
        while self._due and self._due[0][0] <= now_ns and len(found) < limit:
            due_ns, tx_hash = heapq.heappop(self._due)
            entry = self._entries.get(tx_hash)
            if entry is None or entry.due_ns != due_ns:
                continue  # moved since
            if self._knows(tx_hash):
                del self._entries[tx_hash]
            elif now_ns >= entry.expires_ns:
                del self._entries[tx_hash]
                self.expired += 1
            else:
                pause_ns = min(FIRST_PAUSE_NS << min(entry.attempts, 16), LONGEST_PAUSE_NS)
                entry.attempts += 1
                self._move(entry, tx_hash, now_ns + pause_ns)
                found.append(tx_hash)
        return found

    def attempts(self, tx_hash: bytes) -> int:
        """Return how often a hash was asked for so far."""
        entry = self._entries.get(tx_hash)
        return 0 if entry is None else entry.attempts

    def put_off(self, tx_hash: bytes, now_ns: int) -> None:
        """Take an attempt back that says nothing about the transaction: the provider asks for patience."""
        entry = self._entries.get(tx_hash)
        if entry is not None:
            entry.attempts = max(0, entry.attempts - 1)
            self._move(entry, tx_hash, now_ns + FIRST_PAUSE_NS)

    def _move(self, entry: _WantedBody, tx_hash: bytes, due_ns: int) -> None:
        entry.due_ns = due_ns
        heapq.heappush(self._due, (due_ns, tx_hash))

    def next_due_ns(self) -> int | None:
        """Return when something is due next, None while nothing waits."""
        return self._due[0][0] if self._due else None
