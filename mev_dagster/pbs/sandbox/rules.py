"""The relay's own checks before simulation, in mev-boost-relay's order and with its texts.

Each rule is a pure function of what the relay sees; the first that gives an answer ends the matter.
Source of order, codes and texts: reference table of mev-boost-relay's `handleSubmitNewBlock`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mev_dagster.errors import DecodeError
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs import bls, checks
from mev_dagster.pbs.checks import SubmissionCheck, failed, passed
from mev_dagster.pbs.sandbox.answers import SubmissionAnswer, dropped, refusal
from mev_dagster.pbs.sandbox.slots import Slot
from mev_dagster.pbs.schema import BID_TRACE, WITHDRAWALS
from mev_dagster.pbs.signing import builder_domain, signing_root
from mev_dagster.pbs.types import SubmitBlockRequest


@dataclass(frozen=True, slots=True)
class View:
    """What the relay knows when a submission arrives. `slot` is the one its block number belongs to."""

    submission: SubmitBlockRequest
    slot: Slot | None
    expected_timestamp: int
    genesis_fork_version: bytes
    head_slot: int | None = None
    delivered: bool = False
    blocked_builder: bool = False


@dataclass(frozen=True, slots=True)
class Ruling:
    """One rule's check, and the relay's answer when it ends the matter."""

    check: SubmissionCheck
    answer: SubmissionAnswer | None = None


Rule = Callable[[View], Ruling]


def rulings(view: View) -> Iterator[Ruling]:
    """Apply the rules in order; the last ruling yielded is the first with an answer."""
    for rule in RULES:
        ruling = rule(view)
        yield ruling
        if ruling.answer is not None:
            return


def _holds(name: str, message: str = "") -> Ruling:
    return Ruling(passed(name, message))


def _refused(name: str, code: str, message: str) -> Ruling:
    return Ruling(failed(name, code, message), refusal(code, message))


def _fork(view: View) -> Ruling:
    if view.slot is not None and view.submission.fork != view.slot.context.consensus_fork:
        expected = view.slot.context.consensus_fork.version
        return _refused("fork", "wrong_fork", f"not {expected} payload")
    return _holds("fork", view.submission.fork.version)


def _past_slot(view: View) -> Ruling:
    if view.head_slot is not None and view.submission.message.slot <= view.head_slot:
        return _refused("slot", "past_slot", "submission for past slot")
    return _holds("slot", str(view.submission.message.slot))


def _timestamp(view: View) -> Ruling:
    found, expected = view.submission.execution_payload.timestamp, view.expected_timestamp
    if found != expected:
        text = f"incorrect timestamp. got {found}, expected {expected}"
        return _refused("timestamp", "timestamp_mismatch", text)
    return _holds("timestamp", str(found))


def _builder(view: View) -> Ruling:
    if view.blocked_builder:
        return Ruling(failed("builder", "blocked_builder", "silently dropped"), dropped("blocked_builder"))
    return _holds("builder", to_hex(view.submission.message.builder_pubkey))


def _duty(view: View) -> Ruling:
    if view.slot is None or view.slot.number != view.submission.message.slot:
        return _refused("duty", "no_duty", "could not find slot duty")
    return _holds("duty", f"validator {view.slot.validator_index}")


def _fee_recipient(view: View) -> Ruling:
    assert view.slot is not None, "the duty rule comes first"
    if view.submission.message.proposer_fee_recipient != view.slot.proposer.fee_recipient:
        return _refused("fee_recipient", "fee_recipient_mismatch", "fee recipient does not match")
    return _holds("fee_recipient", to_hex(view.slot.proposer.fee_recipient))


def _proposer(view: View) -> Ruling:
    """helix's rule and text; mev-boost-relay takes such a bid into an auction that nobody asks for."""
    assert view.slot is not None, "the duty rule comes first"
    found, expected = view.submission.message.proposer_pubkey, view.slot.proposer.pubkey
    if found != expected:
        text = f"proposer public key mismatch. got: {to_hex(found)}, expected: {to_hex(expected)}"
        return _refused("proposer", "proposer_pubkey_mismatch", text)
    return _holds("proposer", to_hex(expected))


def _worth_something(view: View) -> Ruling:
    check = checks.not_empty(view.submission)
    return Ruling(check, None if check.ok else dropped(check.code))


def _hashes(view: View) -> Ruling:
    trace, payload = view.submission.message, view.submission.execution_payload
    if trace.block_hash != payload.block_hash:
        return _refused("hashes", "block_hash_mismatch", "blockHash mismatch")
    if trace.parent_hash != payload.parent_hash:
        return _refused("hashes", "parent_hash_mismatch", "parentHash mismatch")
    return _holds("hashes", "block and parent hash equal the payload's")


def _attributes(view: View) -> Ruling:
    assert view.slot is not None, "the duty rule comes first"
    if view.submission.message.parent_hash != view.slot.context.parent_hash:
        return _refused("attributes", "attributes_unknown", "payload attributes not (yet) known")
    return _holds("attributes", "known for this parent and slot")


def _randao(view: View) -> Ruling:
    assert view.slot is not None, "the duty rule comes first"
    found, expected = view.submission.execution_payload.prev_randao, view.slot.context.prev_randao
    if found != expected:
        text = f"incorrect prev_randao - got: {to_hex(found)}, expected: {to_hex(expected)}"
        return _refused("prev_randao", "prev_randao_mismatch", text)
    return _holds("prev_randao", to_hex(found))


def _withdrawals(view: View) -> Ruling:
    assert view.slot is not None, "the duty rule comes first"
    found, expected = view.submission.execution_payload.withdrawals, view.slot.context.withdrawals
    if found is None or expected is None:
        return _holds("withdrawals", "none before Capella")
    got, wanted = WITHDRAWALS.hash_tree_root(found), WITHDRAWALS.hash_tree_root(expected)
    if got != wanted:
        text = f"incorrect withdrawals root - got: {to_hex(got)}, expected: {to_hex(wanted)}"
        return _refused("withdrawals", "withdrawals_root_mismatch", text)
    return _holds("withdrawals", to_hex(got))


def _signature(view: View) -> Ruling:
    trace = view.submission.message
    root = signing_root(BID_TRACE, trace, builder_domain(view.genesis_fork_version))
    try:
        valid = bls.verify(trace.builder_pubkey, root, view.submission.signature)
    except DecodeError as error:
        text = "failed verifying builder signature"
        check = failed("signature", "malformed_signature", f"{text}: {error}")
        return Ruling(check, refusal("malformed_signature", text))
    if not valid:
        return _refused("signature", "invalid_signature", "invalid signature")
    return _holds("signature", f"verifies under {to_hex(view.genesis_fork_version)}")


def _not_delivered(view: View) -> Ruling:
    if view.delivered:
        text = "payload for this slot was already delivered"
        return _refused("delivered", "payload_delivered", text)
    return _holds("delivered", "no payload of this slot was handed over")


RULES: tuple[Rule, ...] = (
    _fork,
    _past_slot,
    _timestamp,
    _builder,
    _duty,
    _fee_recipient,
    _proposer,
    _worth_something,
    _hashes,
    _attributes,
    _randao,
    _withdrawals,
    _signature,
    _not_delivered,
)
