"""What became of one block at one relay: every attempt, and how it ended."""

from dataclasses import dataclass
from enum import StrEnum

from mev_dagster.pbs.client.answers import AnswerClass
from mev_dagster.pbs.types import SignedValidatorRegistration, SubmitBlockRequest


class SubmissionEnd(StrEnum):
    """Why a submission ended; the first ones are the class of the answer that was final."""

    ACCEPTED = AnswerClass.ACCEPTED
    ACCEPTED_SKIPPED = AnswerClass.ACCEPTED_SKIPPED
    TRANSIENT = AnswerClass.TRANSIENT
    SERVER_ERROR = AnswerClass.SERVER_ERROR
    RATE_LIMITED = AnswerClass.RATE_LIMITED
    TERMINAL_SLOT = AnswerClass.TERMINAL_SLOT
    TERMINAL_BLOCK = AnswerClass.TERMINAL_BLOCK
    REFUSED = AnswerClass.REFUSED
    UNKNOWN = AnswerClass.UNKNOWN
    DEADLINE = "deadline"
    SUPERSEDED = "superseded"
    CIRCUIT_OPEN = "circuit_open"
    SILENTLY_DROPPED = "silently_dropped"
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request and what came back; `status` is 0 when nothing did."""

    number: int
    sent_ns: int
    latency_ns: int
    waited_s: float
    status: int
    outcome: AnswerClass
    message: str
    request_bytes: int
    trace_id: bytes
    span_id: bytes


@dataclass(frozen=True, slots=True)
class SubmissionReport:
    """All attempts at handing one block to one relay. `confirmed` says that the data API shows the bid."""

    relay: str
    submission: SubmitBlockRequest
    started_ns: int
    attempts: tuple[Attempt, ...]
    ended: SubmissionEnd
    confirmed: bool

    @property
    def accepted(self) -> bool:
        """Whether the relay took the block; a 200 alone does not say so."""
        return self.confirmed

    @property
    def answered(self) -> bool:
        """Whether the relay answered at all."""
        return any(attempt.status for attempt in self.attempts)


@dataclass(frozen=True, slots=True)
class SlotDuty:
    """The proposer of a slot as the relay announces it."""

    slot: int
    validator_index: int
    registration: SignedValidatorRegistration
