"""What an answer means, and whether to try again: a table and three small pure objects."""

import json
import random
from dataclasses import dataclass, field
from enum import StrEnum

from mev_dagster.pbs.types import ConsensusFork


class AnswerClass(StrEnum):
    """The classes of a relay's answer."""

    ACCEPTED = "accepted"
    ACCEPTED_SKIPPED = "accepted_skipped"
    NOT_YET = "not_yet"
    TRANSIENT = "transient"
    RATE_LIMITED = "rate_limited"
    TERMINAL_SLOT = "terminal_slot"
    TERMINAL_BLOCK = "terminal_block"
    REFUSED = "refused"
    UNKNOWN = "unknown"


TRANSIENT_STATUSES = frozenset({408, 502, 503, 504})
# In the order they are looked for; texts are those of public relays.
_TEXTS: tuple[tuple[AnswerClass, tuple[str, ...]], ...] = (
    (AnswerClass.NOT_YET, ("payload attributes not (yet) known",)),
    (
        AnswerClass.TRANSIENT,
        (
            "read tcp",
            "request timeout hit",
            "unknown ancestor",
            "missing trie node",
            "validation request timeout",
        ),
    ),
    (
        AnswerClass.TERMINAL_SLOT,
        ("past slot", "already delivered", "already using a newer payload", "could not find slot duty"),
    ),
    (
        AnswerClass.TERMINAL_BLOCK,
        (
            "simulation failed",
            "mismatch",
            "invalid signature",
            "failed verifying builder signature",
            "fee recipient does not match",
            "incorrect timestamp",
            "incorrect prev_randao",
            "incorrect withdrawals root",
            *(f"not {fork.version} payload" for fork in ConsensusFork),
            "cancellations are disabled",
        ),
    ),
)


def message_of(body: bytes) -> str:
    """Return what a relay says, whether as JSON object, JSON string or plain text."""
    text = body.decode("utf-8", "replace").strip()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(document, dict):
        return str(document.get("message", "")) if document else ""
    return document if isinstance(document, str) else text


def classify(status: int, body: bytes) -> AnswerClass:
    """Return the class of an answer with this status and body."""
    message = message_of(body)
    if status == 200:
        return AnswerClass.ACCEPTED if message == "" else AnswerClass.UNKNOWN
    if status == 202:
        return AnswerClass.ACCEPTED_SKIPPED
    if status == 429:
        return AnswerClass.RATE_LIMITED
    if 300 <= status < 400:
        return AnswerClass.REFUSED
    for outcome, texts in _TEXTS:
        if any(text in message for text in texts):
            return outcome
    return AnswerClass.TRANSIENT if status in TRANSIENT_STATUSES else AnswerClass.UNKNOWN


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try again, in seconds; jitter comes from the generator that is handed in."""

    max_attempts: int = 4
    base_s: float = 0.025
    cap_s: float = 0.4
    not_yet_s: float = 0.05

    def wait_s(
        self, outcome: AnswerClass, attempt: int, rng: random.Random, retry_after_s: float | None = None
    ) -> float | None:
        """Return how long to wait after this attempt (the first is 1), or None to stop.

        An answer that only asks for patience does not use up attempts: the slot's deadline ends those.
        """
        if outcome is AnswerClass.NOT_YET:
            return self.not_yet_s
        if outcome is AnswerClass.RATE_LIMITED:
            return None if attempt >= self.max_attempts else retry_after_s or self.cap_s
        if outcome is AnswerClass.TRANSIENT and attempt < self.max_attempts:
            return rng.uniform(0, min(self.cap_s, self.base_s * 2 ** (attempt - 1)))
        return None


@dataclass(slots=True)
class CircuitBreaker:
    """Stops trying a relay that keeps failing; one probe a slot finds out whether it is back."""

    threshold: int = 5
    _failures: int = 0
    _probed_slot: int = field(default=-1)

    def allows(self, slot: int) -> bool:
        """Say whether this slot may be tried; an open breaker lets one probe of each slot through."""
        if self._failures < self.threshold:
            return True
        if slot == self._probed_slot:
            return False
        self._probed_slot = slot
        return True

    def record(self, outcome: AnswerClass) -> None:
        """Count a failure of the relay, or forget them all after an answer."""
        self._failures = self._failures + 1 if outcome is AnswerClass.TRANSIENT else 0
