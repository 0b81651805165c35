"""The relay itself: from a decoded submission to an answer, a receipt and a place in the auction."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, get_current_span

from mev_dagster.pbs.checks import SubmissionCheck, failed, passed
from mev_dagster.pbs.keys import BlsKey
from mev_dagster.pbs.sandbox.answers import ACCEPTED, SubmissionAnswer, refusal
from mev_dagster.pbs.sandbox.auction import AuctionKey, ReceivedBid, RelayAuction, key_of
from mev_dagster.pbs.sandbox.engine_api import Validator
from mev_dagster.pbs.sandbox.faults import FaultPlan
from mev_dagster.pbs.sandbox.rules import View, rulings
from mev_dagster.pbs.sandbox.slots import SandboxValidators, Slot, SlotBook, SlotClock, clock_for
from mev_dagster.pbs.sandbox.top_bid import TopBids, update_of
from mev_dagster.pbs.schema import BUILDER_BID, payload_header
from mev_dagster.pbs.signing import SANDBOX_GENESIS_FORK_VERSION
from mev_dagster.pbs.types import (
    BuilderBid,
    ConsensusFork,
    SignedBuilderBid,
    SignedValidatorRegistration,
    SubmitBlockRequest,
)
from mev_dagster.telemetry.catalogue import RelayMetrics
from mev_dagster.telemetry.clock import Clock, SystemClock
from mev_dagster.telemetry.metrics import process_registry
from mev_dagster.telemetry.tracing import Tracing, span_id_of, trace_id_of
from mev_dagster.units import NS_PER_MS, NS_PER_SECOND

RECEIPTS_KEPT = 1024
SILENT_DROP_SECONDS = 0.2
REGISTRATION_AHEAD_SECONDS = 10
"""How far a validator's clock may be ahead of the relay's."""


@dataclass(frozen=True, slots=True)
class RelayRules:
    """What an operator of a relay decides."""

    genesis_fork_version: bytes = SANDBOX_GENESIS_FORK_VERSION
    cancellations: bool = True
    floor_wei: int = 0
    blocked_builders: frozenset[bytes] = frozenset()
    simulation_timeout_s: float = 10.0
    header_cutoff_ms: int | None = None
    """How far into its slot a proposer may still ask for a header; mev-boost-relay's is 3,000."""
    payload_cutoff_ms: int | None = None
    """How far into its slot a payload is still given; mev-boost-relay's is 4,000."""


@dataclass(frozen=True, slots=True)
class RelayReceipt:
    """What the relay decoded, checked and answered; ids join it to the attempt that was sent."""

    submission: SubmitBlockRequest
    received_ns: int
    answer: SubmissionAnswer
    checks: tuple[SubmissionCheck, ...]
    trace_id: bytes
    sender_span_id: bytes


@dataclass(slots=True)
class SandboxRelay:
    """One relay's state and its judgement. Sockets are in `app.py`."""

    slots: SlotBook
    validator: Validator
    key: BlsKey
    validators: SandboxValidators = field(default_factory=SandboxValidators)
    rules: RelayRules = field(default_factory=RelayRules)
    clock: Clock = field(default_factory=SystemClock)
    tracing: Tracing = field(default_factory=lambda: Tracing("sandbox-relay"))
    metrics: RelayMetrics = field(default_factory=lambda: RelayMetrics(process_registry()))
    head_slot: int | None = None
    auction: RelayAuction = field(default_factory=RelayAuction)
    receipts: deque[RelayReceipt] = field(default_factory=lambda: deque(maxlen=RECEIPTS_KEPT))
    registrations: dict[bytes, SignedValidatorRegistration] = field(default_factory=dict)
    faults: FaultPlan = field(default_factory=FaultPlan)
    top_bids: TopBids = field(default_factory=TopBids)
    _arrivals: int = 0
    _simulating: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def submit(
        self, submission: SubmitBlockRequest, *, cancellations: bool = False, parent: Context | None = None
    ) -> RelayReceipt:
        """Judge a submission, answer it, and store its bid when everything holds."""
        self._arrivals += 1
        order, received_ns = self._arrivals, self.clock.wall_ns()
        sender = get_current_span(parent) if parent is not None else None
        with self.tracing.span("relay.validate", parent=parent, kind=SpanKind.SERVER) as span:
            found: list[SubmissionCheck] = []
            answer = await self._judge(submission, cancellations, order, received_ns, found)
            span.set_attributes({"status": answer.status, "code": answer.code})
            receipt = RelayReceipt(
                submission=submission,
                received_ns=received_ns,
                answer=answer,
                checks=tuple(found),
                trace_id=trace_id_of(span),
                sender_span_id=span_id_of(sender) if sender is not None else bytes(8),
            )
        self.receipts.append(receipt)
        self.metrics.answered.labels(str(answer.status), answer.code).inc()
        return receipt

    async def with_fork_of_slot(self, submission: SubmitBlockRequest) -> SubmitBlockRequest:
        """Tell Electra from Fulu by the slot: without blobs their submissions have the same bytes."""
        alike = {ConsensusFork.ELECTRA, ConsensusFork.FULU}
        slot = await asyncio.to_thread(self.slot_of_block, submission.execution_payload.block_number)
        if slot is None or not {submission.fork, slot.context.consensus_fork} <= alike:
            return submission
        return replace(submission, fork=slot.context.consensus_fork)

    async def _judge(
        self,
        submission: SubmitBlockRequest,
        cancellations: bool,
        order: int,
        received_ns: int,
        found: list[SubmissionCheck],
    ) -> SubmissionAnswer:
        if cancellations and not self.rules.cancellations:
            text = "cancellations are disabled"
            found.append(failed("cancellations", "cancellations_disabled", text))
            return refusal("cancellations_disabled", text)
        slot = await asyncio.to_thread(self.slot_of_block, submission.execution_payload.block_number)
        for ruling in rulings(self._view(submission, slot)):
            found.append(ruling.check)
            if ruling.answer is not None:
                if ruling.answer.code == "blocked_builder":
                    await self.clock.sleep(SILENT_DROP_SECONDS)
                return ruling.answer
        below_floor = self._below_floor(submission, cancellations)
        if below_floor is not None:
            found.append(failed("floor", below_floor.code, below_floor.message))
            return below_floor
        assert slot is not None, "the duty rule found it"
        refused = await self._simulate(submission, slot, found)
        if refused is not None:
            return refused
        if cancellations and self.auction.newer_than(submission, order):
            text = "already using a newer payload"
            found.append(failed("cancellation_race", "newer_payload", text))
            return refusal("newer_payload", text)
        bid = ReceivedBid(submission, order, received_ns, cancellable=cancellations)
        self._change(key_of(submission), partial(self.auction.store, bid))
        self.metrics.bid_value.set(submission.message.value)
        found.append(passed("stored", f"{submission.message.value} wei"))
        return ACCEPTED

    def _change(self, key: AuctionKey, change: Callable[[], None]) -> None:
        """Change an auction, and tell whoever listens where another bid has become its best."""
        before = self.auction.best(key)
        change()
        best = self.auction.best(key)
        if best is not None and best is not before:
            self.top_bids.publish(update_of(best, self.clock.wall_ns()))

    def _view(self, submission: SubmitBlockRequest, slot: Slot | None) -> View:
        return View(
            submission=submission,
            slot=slot,
            expected_timestamp=_clock_of(slot).start_of(submission.message.slot),
            genesis_fork_version=self.rules.genesis_fork_version,
            head_slot=self.head_slot,
            delivered=self.auction.is_delivered(submission.message.slot),
            blocked_builder=submission.message.builder_pubkey in self.rules.blocked_builders,
        )

    def _below_floor(self, submission: SubmitBlockRequest, cancellations: bool) -> SubmissionAnswer | None:
        """Bids below the floor are taken note of and not simulated; with cancellations they cancel."""
        value = submission.message.value
        floor = max(self.rules.floor_wei, self.auction.floor_wei(key_of(submission)))
        text = "accepted bid below floor, skipped validation"
        if cancellations and value < floor:
            self._change(key_of(submission), partial(self.auction.withdraw, submission))
            return SubmissionAnswer(202, "below_floor", f'"{text}"'.encode())
        if not cancellations and floor and value <= floor:
            return SubmissionAnswer(202, "below_floor", f'{{"message":"{text}"}}'.encode())
        return None

    async def _simulate(
        self, submission: SubmitBlockRequest, slot: Slot, found: list[SubmissionCheck]
    ) -> SubmissionAnswer | None:
        """Execute in a worker thread, one block at a time: the engine holds the interpreter lock anyway."""
        try:
            async with asyncio.timeout(self.rules.simulation_timeout_s), self._simulating:
                with self.metrics.simulation_seconds.time():
                    results = await asyncio.to_thread(_all, self.validator.validate, submission, slot)
        except TimeoutError:
            text = "validation request timeout"
            found.append(failed("simulation", "simulation_timeout", text))
            return refusal("simulation_timeout", text, 504)
        found.extend(results)
        wrong = next((check for check in results if not check.ok), None)
        if wrong is None:
            return None
        return refusal(wrong.code, f"simulation failed: {wrong.message}")

    def register(self, registration: SignedValidatorRegistration) -> SubmissionAnswer | None:
        """Keep a validator's registration unless a newer one is known; return why it cannot be taken.

        From then on the validator's duties name its fee recipient and gas limit, and blocks are held to them.
        Texts are mev-boost-relay's.
        """
        message = registration.message
        now_seconds = self.clock.wall_ns() // NS_PER_SECOND
        if message.timestamp > now_seconds + REGISTRATION_AHEAD_SECONDS:
            return refusal("future_registration", "timestamp too far in the future")
        if message.timestamp < self._genesis_time(message.pubkey):
            return refusal("early_registration", "timestamp too early: before the chain began")
        if not self.validators.knows(message.pubkey):
            return refusal("unknown_validator", f"not a known validator: 0x{message.pubkey.hex()}")
        known = self.registrations.get(message.pubkey)
        if known is None or known.message.timestamp < message.timestamp:
            self.registrations[message.pubkey] = registration
        return None

    def _genesis_time(self, pubkey: bytes) -> int:
        """Return when the chain a validator proposes on began; nobody registered before that."""
        own = (slot for slot in self.slots.announced() if slot.registration.message.pubkey == pubkey)
        return max((_clock_of(slot).genesis_time for slot in own), default=0)

    def registration_of(self, pubkey: bytes) -> SignedValidatorRegistration | None:
        """Return a validator's latest registration; announced proposers are registered already."""
        own = (slot.registration for slot in self.slots.announced())
        return self.registrations.get(pubkey) or next((r for r in own if r.message.pubkey == pubkey), None)

    def slot_of_block(self, number: int) -> Slot | None:
        """Return the slot in which a block of this number is proposed, its proposer as last registered."""
        slot = self.slots.of_block(number)
        return None if slot is None else self._as_registered(slot)

    def announced(self) -> Iterator[Slot]:
        """Yield the slots whose proposers the relay announces, each as last registered."""
        for slot in self.slots.announced():
            yield self._as_registered(slot)

    def is_past(self, slot: int) -> bool:
        """Say whether the chain has a block of this slot or of a later one."""
        return self.head_slot is not None and slot <= self.head_slot

    def milliseconds_into(self, slot: Slot) -> int:
        """Return how far into the slot this moment is; negative before it starts."""
        start = _clock_of(slot).start_of(slot.number)
        return self.clock.wall_ns() // NS_PER_MS - start * 1_000

    def _as_registered(self, slot: Slot) -> Slot:
        registered = self.registrations.get(slot.registration.message.pubkey)
        return slot if registered is None else replace(slot, registration=registered)

    def header_for(self, key: AuctionKey) -> SignedBuilderBid | None:
        """Return the best bid of an auction, signed by the relay."""
        best = self.auction.best(key)
        if best is None:
            return None
        submission = best.submission
        bundle = submission.blobs_bundle
        message = BuilderBid(
            fork=submission.fork,
            header=payload_header(submission.fork, submission.execution_payload),
            value=submission.message.value,
            pubkey=self.key.pubkey,
            blob_kzg_commitments=None if bundle is None else bundle.commitments,
            execution_requests=submission.execution_requests,
        )
        signature = self.key.sign(BUILDER_BID[submission.fork], message, self.rules.genesis_fork_version)
        return SignedBuilderBid(submission.fork, message, signature)


def _clock_of(slot: Slot | None) -> SlotClock:
    return SlotClock() if slot is None else clock_for(slot.context.schedule.chain_id)


def _all(
    validate: Callable[[SubmitBlockRequest, Slot], Iterable[SubmissionCheck]],
    submission: SubmitBlockRequest,
    slot: Slot,
) -> list[SubmissionCheck]:
    return list(validate(submission, slot))
