"""The relay client: submit dry, keep every attempt, believe a 200 only when the data API shows the bid."""

import asyncio
import gzip
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
from opentelemetry.trace import Span, SpanKind

from mev_dagster.errors import DecodeError, NodeAnswerError, NodeUnreachable, RelayRefused
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs import codec_json, wire
from mev_dagster.pbs.client.guard import check_relay_url, guarded_session
from mev_dagster.pbs.client.policy import AnswerClass, CircuitBreaker, RetryPolicy, classify, message_of
from mev_dagster.pbs.schema import SIGNED_VALIDATOR_REGISTRATION
from mev_dagster.pbs.types import SignedValidatorRegistration, SubmitBlockRequest
from mev_dagster.telemetry.clock import Clock, SystemClock
from mev_dagster.telemetry.tracing import Tracing, headers_of, span_id_of, trace_id_of
from mev_dagster.units import MIB, NS_PER_SECOND

SUBMIT_PATH = "/relay/v1/builder/blocks"
VALIDATORS_PATH = "/relay/v1/builder/validators"
SLOTS_PATH = "/sandbox/v1/slots"
RECEIPTS_PATH = "/sandbox/v1/receipts"
RECEIVED_PATH = "/relay/v1/data/bidtraces/builder_blocks_received"
MAX_ANSWER_BYTES = 4 * MIB
MAX_MESSAGE_CHARACTERS = 500
GZIP_LEVEL = 1
"""Bodies cross the loopback: level 1 takes half the time of level 6 for nearly the same size."""


@dataclass(frozen=True, slots=True)
class RelayEndpoint:
    """One relay and how it likes its submissions."""

    url: str
    name: str = "sandbox"
    json: bool = False
    gzip: bool = False
    cancellations: bool = False
    connect_timeout_s: float = 0.15
    total_timeout_s: float = 15.0


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
    attempts: tuple[Attempt, ...]
    ended: str
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


class RelayClient:
    """A connection to one relay. Use as an async context manager."""

    def __init__(
        self,
        endpoint: RelayEndpoint,
        *,
        tracing: Tracing | None = None,
        policy: RetryPolicy | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._base = check_relay_url(endpoint.url)
        self._tracing = tracing or Tracing("builder")
        self._policy = policy or RetryPolicy()
        self._clock = clock or SystemClock()
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._breaker = CircuitBreaker()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = guarded_session()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def submit(
        self,
        submission: SubmitBlockRequest,
        *,
        parent: Span | None = None,
        deadline_ns: int | None = None,
        superseded: Callable[[], bool] = lambda: False,
    ) -> SubmissionReport:
        """Submit until the relay has decided, the deadline passes (monotonic ns) or a better block exists."""
        body = wire.encode_submission(submission, json=self.endpoint.json)
        if self.endpoint.gzip:
            body = await asyncio.to_thread(gzip.compress, body, GZIP_LEVEL)
        attempts: list[Attempt] = []
        waited, ended = 0.0, ""
        while not ended:
            ended = self._reason_to_stop(submission.message.slot, deadline_ns, superseded)
            if ended:
                break
            attempt, retry_after = await self._attempt(
                submission,
                body,
                number=len(attempts) + 1,
                waited=waited,
                parent=parent,
                timeout_s=self._timeout_s(deadline_ns),
            )
            attempts.append(attempt)
            self._breaker.record(attempt.outcome)
            wait = self._policy.wait_s(attempt.outcome, attempt.number, self._rng, retry_after)
            if wait is None:
                ended = attempt.outcome.value
            elif (
                deadline_ns is not None and self._clock.mono_ns() + round(wait * NS_PER_SECOND) >= deadline_ns
            ):
                ended = "deadline"
            else:
                waited = wait
                await self._clock.sleep(wait)
        if ended == AnswerClass.ACCEPTED:
            ended = await self._confirmed(submission)
        confirmed = ended == AnswerClass.ACCEPTED
        return SubmissionReport(self.endpoint.name, submission, tuple(attempts), ended, confirmed)

    async def _confirmed(self, submission: SubmitBlockRequest) -> str:
        """Say how a submission answered with 200 really ended: relays drop some without a word."""
        try:
            return AnswerClass.ACCEPTED.value if await self.is_listed(submission) else "silently_dropped"
        except (NodeUnreachable, NodeAnswerError):
            return "unconfirmed"

    def _timeout_s(self, deadline_ns: int | None) -> float:
        """Return how long one request may take: never past the slot's deadline."""
        if deadline_ns is None:
            return self.endpoint.total_timeout_s
        return min(self.endpoint.total_timeout_s, (deadline_ns - self._clock.mono_ns()) / NS_PER_SECOND)

    def _reason_to_stop(self, slot: int, deadline_ns: int | None, superseded: Callable[[], bool]) -> str:
        if superseded():
            return "superseded"
        if deadline_ns is not None and self._clock.mono_ns() >= deadline_ns:
            return "deadline"
        return "" if self._breaker.allows(slot) else "circuit_open"

    async def _attempt(
        self,
        submission: SubmitBlockRequest,
        body: bytes,
        *,
        number: int,
        waited: float,
        parent: Span | None,
        timeout_s: float,
    ) -> tuple[Attempt, float | None]:
        endpoint = self.endpoint
        with self._tracing.span(
            "relay.submit",
            parent=parent,
            kind=SpanKind.CLIENT,
            relay=endpoint.name,
            attempt=number,
            encoding="json" if endpoint.json else "ssz",
            gzip=endpoint.gzip,
            bytes=len(body),
            slot=submission.message.slot,
            block_hash=to_hex(submission.message.block_hash),
        ) as span:
            headers = {
                "Content-Type": wire.JSON_TYPE if endpoint.json else wire.SSZ_TYPE,
                "Eth-Consensus-Version": submission.fork.version,
                **headers_of(span),
            }
            if endpoint.gzip:
                headers["Content-Encoding"] = "gzip"
            path = SUBMIT_PATH + ("?cancellations=1" if endpoint.cancellations else "")
            sent_wall, sent = self._clock.wall_ns(), self._clock.mono_ns()
            retry_after = None
            try:
                status, answer, answer_headers = await self._request(
                    "POST", path, data=body, headers=headers, timeout_s=timeout_s
                )
                outcome, message = classify(status, answer), message_of(answer)
                retry_after = _seconds(answer_headers.get("Retry-After"))
            except NodeUnreachable as error:
                status, outcome, message = 0, AnswerClass.TRANSIENT, str(error)
            span.set_attributes({"status": status, "outcome": outcome.value})
            return (
                Attempt(
                    number=number,
                    sent_ns=sent_wall,
                    latency_ns=self._clock.mono_ns() - sent,
                    waited_s=waited,
                    status=status,
                    outcome=outcome,
                    message=message[:MAX_MESSAGE_CHARACTERS],
                    request_bytes=len(body),
                    trace_id=trace_id_of(span),
                    span_id=span_id_of(span),
                ),
                retry_after,
            )

    async def is_listed(self, submission: SubmitBlockRequest) -> bool:
        """Ask the data API whether the relay verified this very bid."""
        trace = submission.message
        rows = await self.get_json(RECEIVED_PATH, block_hash=to_hex(trace.block_hash))
        wanted = {
            "block_hash": to_hex(trace.block_hash),
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
            raise NodeAnswerError(f"{self._base}{VALIDATORS_PATH}: expected an array")
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
            raise NodeAnswerError(f"{self._base}{RECEIPTS_PATH}: expected an array of objects")
        return found

    def _duty(self, row: Any, path: str) -> SlotDuty:
        try:
            entry = codec_json.from_json(SIGNED_VALIDATOR_REGISTRATION, row["entry"], "entry")
            return SlotDuty(int(row["slot"]), int(row["validator_index"]), entry)
        except (KeyError, TypeError, ValueError, DecodeError) as error:
            raise NodeAnswerError(f"{self._base}{path}: {error!r}") from error

    async def get_json(self, path: str, **parameters: str) -> Any:
        """Return a JSON answer with status 200; anything else is an error that names the path."""
        status, body, _ = await self._request("GET", path, params=parameters)
        if status != 200:
            raise NodeAnswerError(f"{self._base}{path}: {status} {message_of(body)[:MAX_MESSAGE_CHARACTERS]}")
        try:
            return codec_json.loads(body)
        except DecodeError as error:
            raise NodeAnswerError(f"{self._base}{path}: {error}") from error

    async def post_json(self, path: str, document: Any) -> Any:
        """Post a JSON document and return the JSON answer, None when it is empty."""
        body = codec_json.dumps(document)
        headers = {"Content-Type": wire.JSON_TYPE}
        status, answer, _ = await self._request("POST", path, data=body, headers=headers)
        if status >= 300:
            raise NodeAnswerError(
                f"{self._base}{path}: {status} {message_of(answer)[:MAX_MESSAGE_CHARACTERS]}"
            )
        return codec_json.loads(answer) if answer else None

    async def _request(
        self, method: str, path: str, *, timeout_s: float | None = None, **arguments: Any
    ) -> tuple[int, bytes, Any]:
        if self._session is None:
            raise RelayRefused("the relay client is closed")
        try:
            async with self._session.request(
                method,
                self._base + path,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=timeout_s or self.endpoint.total_timeout_s, connect=self.endpoint.connect_timeout_s
                ),
                **arguments,
            ) as response:
                return response.status, await _limited(response), response.headers
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NodeUnreachable(f"{self._base}{path}: {type(error).__name__}: {error}") from error


async def _limited(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise NodeAnswerError(f"{response.url}: the answer is longer than {MAX_ANSWER_BYTES} bytes")
    return bytes(body)


def _seconds(text: str | None) -> float | None:
    try:
        return max(float(text), 0.0) if text is not None else None
    except ValueError:
        return None
