"""What a peer is worth: what it showed first, what it delivered, how fast, and what it did wrong."""

from dataclasses import dataclass

from mev_dagster.units import NS_PER_SECOND

# Violations that end a session at once are not here: these a clumsy client may commit now and then.
_WEIGHTS = {
    "wrong_type": 10.0,
    "wrong_size": 5.0,
    "unrequested_transaction": 10.0,
    "repeated_transaction": 5.0,
    "unsolicited_answer": 10.0,
    "pushed_blob": 25.0,
    "too_many_requests": 0.5,
    "over_limit": 0.002,  # for each hash
}
TOLERATED = 100.0
_FORGIVEN_PER_SECOND = 0.1
_SMOOTHING = 0.1


@dataclass(slots=True)
class PeerScore:
    """The record of one peer during one session."""

    announced: int = 0
    first_seen: int = 0
    asked: int = 0
    delivered: int = 0
    timeouts: int = 0
    response_seconds: float = 0.0
    _demerits: float = 0.0
    _demerits_ns: int = 0

    @property
    def novelty(self) -> float:
        """Share of its announcements that nobody had made before."""
        return self.first_seen / self.announced if self.announced else 0.0

    @property
    def delivery(self) -> float:
        """Share of what it was asked for that it sent."""
        return self.delivered / self.asked if self.asked else 1.0

    @property
    def value(self) -> float:
        """One number to rank peers by; a peer that shows nothing, because it syncs, ranks low."""
        return self.novelty * 100 + self.delivery * 10 - self.timeouts - self.response_seconds

    def responded(self, seconds: float, asked: int, delivered: int) -> None:
        """Take note of an answer."""
        self.asked += asked
        self.delivered += delivered
        weight = 1.0 if self.response_seconds == 0 else _SMOOTHING
        self.response_seconds += weight * (seconds - self.response_seconds)

    def blame(self, kind: str, now_ns: int, count: int = 1) -> bool:
        """Take note of a violation; say whether it was one too many. Old ones fade."""
        faded = (now_ns - self._demerits_ns) / NS_PER_SECOND * _FORGIVEN_PER_SECOND
        self._demerits = max(0.0, self._demerits - faded) + _WEIGHTS.get(kind, 10.0) * count
        self._demerits_ns = now_ns
        return self._demerits > TOLERATED
