"""Whether and when a submission is tried again."""

import random
from dataclasses import dataclass

from mev_dagster.pbs.client.answers import AnswerClass
from mev_dagster.telemetry.retries import Backoff

TRIED_AGAIN = frozenset({AnswerClass.TRANSIENT, AnswerClass.SERVER_ERROR})
PATIENT_ATTEMPTS = 8
"""So many attempts at one pause, then the pause doubles: a slot's attempts stay a few dozen rows."""


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

        An answer that only asks for patience does not use up attempts: the submission's deadline ends those.
        """
        if outcome is AnswerClass.NOT_YET:
            return Backoff(self.not_yet_s, self.cap_s).whole_seconds(1 + (attempt - 1) // PATIENT_ATTEMPTS)
        if outcome is AnswerClass.RATE_LIMITED:
            return None if attempt >= self.max_attempts else retry_after_s or self.cap_s
        if outcome in TRIED_AGAIN and attempt < self.max_attempts:
            return Backoff(self.base_s, self.cap_s, least=0.0).seconds(attempt, rng)
        return None
