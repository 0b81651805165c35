"""The relay client: submit dry, keep every attempt, believe a 200 only when the data API shows the bid."""

import asyncio
import gzip
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from opentelemetry.trace import Span, SpanKind

from mev_dagster.errors import DecodeError, NodeAnswerError, RelayRefused, RelayUnreachable
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs import codec_json, wire
from mev_dagster.pbs.client.answers import AnswerClass, classify, message_of
from mev_dagster.pbs.client.breaker import CircuitBreaker
from mev_dagster.pbs.client.policy import RetryPolicy
from mev_dagster.pbs.client.report import Attempt, SlotDuty, SubmissionEnd, SubmissionReport
from mev_dagster.pbs.client.transport import MAX_MESSAGE_CHARACTERS, RelayEndpoint, RelayTransport
from mev_dagster.pbs.schema import SIGNED_VALIDATOR_REGISTRATION
from mev_dagster.pbs.types import SubmitBlockRequest
from mev_dagster.telemetry.clock import Clock, SystemClock
from mev_dagster.telemetry.retries import AskedAgain, Retry
from mev_dagster.telemetry.tracing import Tracing, headers_of, span_id_of, trace_id_of
from mev_dagster.units import NS_PER_SECOND

SUBMIT_PATH = "/relay/v1/builder/blocks"
VALIDATORS_PATH = "/relay/v1/builder/validators"
SLOTS_PATH = "/sandbox/v1/slots"
RECEIPTS_PATH = "/sandbox/v1/receipts"
RECEIVED_PATH = "/relay/v1/data/bidtraces/builder_blocks_received"
SUBMITTED = Retry("relay_submit")  # each answer says itself how long to wait; the slot's deadline ends it
GZIP_LEVEL = 1
"""Bodies cross the loopback: level 1 takes half the time of level 6 for nearly the same size."""


@dataclass(frozen=True, slots=True)
class _Sending:
    """One block on its way to the relay: what is sent, until when, and what no longer needs it."""

    submission: SubmitBlockRequest
    body: bytes
    parent: Span | None
    deadline_ns: int
    superseded: Callable[[], bool]


class RelayClient(RelayTransport):
    """Submits to one relay and asks it about slots and bids. Use as an async context manager."""

    def __init__(
        self,
        endpoint: RelayEndpoint,
        *,
        tracing: Tracing | None = None,
        policy: RetryPolicy | None = None,
        breaker: CircuitBreaker | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        super().__init__(endpoint)
        self.clock: Clock = clock or SystemClock()
        self._tracing = tracing or Tracing("builder")
        self._policy = policy or RetryPolicy()
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._breaker = breaker or CircuitBreaker()

    @property
    def name(self) -> str:
        """What rows, settings and strategies call the relay."""
        return self.endpoint.name

    async def submit(
        self,
        submission: SubmitBlockRequest,
        *,
        deadline_ns: int,
        superseded: Callable[[], bool],
        parent: Span | None = None,
    ) -> SubmissionReport:
        """Submit until it is decided, a better block exists, or `deadline_ns` of the monotonic clock."""
        started_ns = self.clock.wall_ns()
        body = wire.encode_submission(submission, json=self.endpoint.json)
        if self.endpoint.gzip:
            body = await asyncio.to_thread(gzip.compress, body, GZIP_LEVEL)
        sending = _Sending(submission, body, parent, deadline_ns, superseded)
        attempts: list[Attempt] = []
        ended = await self._until_decided(sending, attempts)
        if ended in (SubmissionEnd.ACCEPTED, SubmissionEnd.ACCEPTED_SKIPPED):
            ended = await self._confirmed(submission, deadline_ns, ended)
        confirmed = ended is SubmissionEnd.ACCEPTED
        return SubmissionReport(self.endpoint.name, submission, started_ns, tuple(attempts), ended, confirmed)

    async def _until_decided(self, sending: _Sending, attempts: list[Attempt]) -> SubmissionEnd:
        """Try until there is nothing left to try; return why it ended."""
        waited = 0.0

        async def tried() -> SubmissionEnd:
            nonlocal waited
            stop = self._reason_to_stop(sending)
            if stop is not None:
                return stop
            attempt, retry_after = await self._attempt(sending, len(attempts) + 1, waited)
            attempts.append(attempt)
            self._breaker.record(attempt.outcome)
            wait = self._policy.wait_s(attempt.outcome, attempt.number, self._rng, retry_after)
            if wait is None:
                return SubmissionEnd(attempt.outcome.value)
            if self.clock.mono_ns() + round(wait * NS_PER_SECOND) >= sending.deadline_ns:
                return SubmissionEnd.DEADLINE
            waited = wait
            raise AskedAgain(attempt.outcome.value, wait)

        return await SUBMITTED.asynchronous(self.clock, rng=self._rng)(tried)

    def _reason_to_stop(self, sending: _Sending) -> SubmissionEnd | None:
        if sending.superseded():
            return SubmissionEnd.SUPERSEDED
        if self.clock.mono_ns() >= sending.deadline_ns:
            return SubmissionEnd.DEADLINE
        return None if self._breaker.allows(sending.submission.message.slot) else SubmissionEnd.CIRCUIT_OPEN

    async def _confirmed(
        self, submission: SubmitBlockRequest, deadline_ns: int, answered: SubmissionEnd
    ) -> SubmissionEnd:
        """Say how a submission answered with 200 really ended: relays drop some without a word.

        A bid that repeats a verified one is skipped as not above the floor, and stands all the same.
        """
        skipped = answered is SubmissionEnd.ACCEPTED_SKIPPED
        try:
            listed = await self.is_listed(submission, timeout_s=self._time_left_s(deadline_ns))
        except (RelayUnreachable, NodeAnswerError):
            return answered if skipped else SubmissionEnd.UNCONFIRMED
        if listed:
            return SubmissionEnd.ACCEPTED
        return answered if skipped else SubmissionEnd.SILENTLY_DROPPED

    def _time_left_s(self, deadline_ns: int) -> float:
        """Return how long one request may take: never past the deadline, and less for a mere probe."""
        endpoint = self.endpoint
        limit_s = endpoint.probe_timeout_s if self._breaker.is_open else endpoint.total_timeout_s
        return min(limit_s, (deadline_ns - self.clock.mono_ns()) / NS_PER_SECOND)

    async def _attempt(self, sending: _Sending, number: int, waited: float) -> tuple[Attempt, float | None]:
        endpoint, body = self.endpoint, sending.body
        with self._tracing.span(
            "relay.submit",
            parent=sending.parent,
            kind=SpanKind.CLIENT,
            relay=endpoint.name,
            attempt=number,
            encoding="json" if endpoint.json else "ssz",
            gzip=endpoint.gzip,
            bytes=len(body),
            slot=sending.submission.message.slot,
            block_hash=to_hex(sending.submission.message.block_hash),
        ) as span:
            sent_wall, sent = self.clock.wall_ns(), self.clock.mono_ns()
            status, outcome, message, retry_after = await self._sent(sending, headers_of(span))
            span.set_attributes({"status": status, "outcome": outcome.value})
            attempt = Attempt(
                number=number,
                sent_ns=sent_wall,
                latency_ns=self.clock.mono_ns() - sent,
                waited_s=waited,
                status=status,
                outcome=outcome,
                message=message[:MAX_MESSAGE_CHARACTERS],
                request_bytes=len(body),
                trace_id=trace_id_of(span),
                span_id=span_id_of(span),
            )
            return attempt, retry_after

    async def _sent(
        self, sending: _Sending, trace: dict[str, str]
    ) -> tuple[int, AnswerClass, str, float | None]:
        """Send the block once; whatever happens becomes an outcome: a relay's failure is not the run's."""
        endpoint = self.endpoint
        headers = {
            "Content-Type": wire.JSON_TYPE if endpoint.json else wire.SSZ_TYPE,
            "Eth-Consensus-Version": sending.submission.fork.version,
            **({"Content-Encoding": "gzip"} if endpoint.gzip else {}),
            **trace,
        }
        path = SUBMIT_PATH + ("?cancellations=1" if endpoint.cancellations else "")
        try:
            answer = await self.request(
                "POST",
                path,
                data=sending.body,
                headers=headers,
                timeout_s=self._time_left_s(sending.deadline_ns),
            )
        except RelayUnreachable as error:
            return 0, AnswerClass.TRANSIENT, str(error), None
        except NodeAnswerError as error:
            return 0, AnswerClass.UNKNOWN, str(error), None
        except RelayRefused as error:
            return 0, AnswerClass.REFUSED, str(error), None
        outcome = classify(answer.status, answer.body)
        return answer.status, outcome, message_of(answer.body), answer.retry_after_s

    async def is_listed(self, submission: SubmitBlockRequest, *, timeout_s: float | None = None) -> bool:
        """Ask the data API whether the relay verified this very bid."""
        trace = submission.message
        block_hash = to_hex(trace.block_hash)
        rows = await self.get_json(RECEIVED_PATH, timeout_s=timeout_s, block_hash=block_hash)
        wanted = {
            "block_hash": block_hash,
            "builder_pubkey": to_hex(trace.builder_pubkey),
            "value": str(trace.value),
        }
        return isinstance(rows, list) and any(
            isinstance(row, dict) and {name: row.get(name) for name in wanted} == wanted for row in rows
        )

    async def duties(self) -> list[SlotDuty]:
        """Return the proposers of the current and the next epoch."""
        rows = await self.get_json(VALIDATORS_PATH)
        if not isinstance(rows, list):
            raise NodeAnswerError(f"{self.base}{VALIDATORS_PATH}: expected an array")
        return [self._duty(row, VALIDATORS_PATH) for row in rows]

    async def duty_of_block(self, number: int) -> SlotDuty:
        """Return the proposer of the slot a block number belongs to; only the sandbox knows that."""
        path = f"{SLOTS_PATH}/{number}"
        return self._duty(await self.get_json(path), path)

    async def post_slot(self, document: dict[str, Any]) -> SlotDuty:
        """Hand a slot in and return its proposer; only the sandbox takes any."""
        return self._duty(await self.post_json(SLOTS_PATH, document), SLOTS_PATH)

    async def receipts(self, block_hash: bytes) -> list[dict[str, Any]]:
        """Return what the sandbox decoded, checked and answered for a block."""
        found = await self.get_json(RECEIPTS_PATH, block_hash=to_hex(block_hash))
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise NodeAnswerError(f"{self.base}{RECEIPTS_PATH}: expected an array of objects")
        return found

    def _duty(self, row: Any, path: str) -> SlotDuty:
        try:
            entry = codec_json.from_json(SIGNED_VALIDATOR_REGISTRATION, row["entry"], "entry")
            return SlotDuty(int(row["slot"]), int(row["validator_index"]), entry)
        except (KeyError, TypeError, ValueError, DecodeError) as error:
            raise NodeAnswerError(f"{self.base}{path}: {error!r}") from error
