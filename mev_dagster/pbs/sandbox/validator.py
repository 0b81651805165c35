"""Judging a block by executing it: the algorithm of reth's builder-submission validation.

Message against header, header against the slot's context, blobs, execution on the parent's state, roots,
and whether the proposer really receives the bid.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mev_dagster.chain.blocks import Block, Header, encode_block
from mev_dagster.chain.forks import Fork
from mev_dagster.chain.receipts import logs_bloom
from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import InputError, InvalidBlock, MissingState
from mev_dagster.evm.blocks import BlockResult, block_env, execute_block
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.protocol_accounts import knowing_protocol_accounts
from mev_dagster.evm.types import SimulationEngine, StateSource, TxStatus
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs import checks
from mev_dagster.pbs.checks import SubmissionCheck, failed, passed
from mev_dagster.pbs.payload import block_under, requests_hash
from mev_dagster.pbs.sandbox.slots import Slot
from mev_dagster.pbs.seal import known_withdrawals, requests_of, state_root_after
from mev_dagster.pbs.types import SubmitBlockRequest
from mev_dagster.units import GWEI, MIB

MAX_RLP_BLOCK_BYTES = 8 * MIB


@dataclass(frozen=True, slots=True)
class PaymentRule:
    """How strictly the bid must arrive.

    Loose (reth): the recipient's balance grew by at least the bid, withdrawals aside, or the last
    transaction pays it exactly. Strict (builder-specs): it grew by exactly the bid.
    """

    strict: bool = False


class ExecutionValidator:
    """Re-executes submissions on the state the sandbox has."""

    def __init__(self, engine: SimulationEngine, rule: PaymentRule | None = None) -> None:
        self._engine = engine
        self._rule = rule or PaymentRule()

    def validate(self, submission: SubmitBlockRequest, slot: Slot) -> Iterator[SubmissionCheck]:
        """Yield checks in order; the first that fails is the last."""
        for check in self._checks(submission, slot):
            yield check
            if not check.ok:
                return

    def _checks(self, submission: SubmitBlockRequest, slot: Slot) -> Iterator[SubmissionCheck]:
        context = slot.context
        yield checks.message(submission)
        yield checks.gas(submission)
        header, check = checks.header_and_hash(submission, context.parent_beacon_block_root)
        yield check
        decoded, check = checks.transactions(submission)
        yield check
        if submission.blobs_bundle is not None:
            yield checks.blobs(submission, decoded)
        if header is None or decoded is None:
            return  # said above
        block = block_under(header, submission.execution_payload)
        yield header_follows(block.header, slot)
        if context.fork >= Fork.OSAKA:
            yield block_size(block)
        if slot.state is None:
            yield failed("execution", "unknown_ancestor", "unknown ancestor: its state is not known here")
            return
        yield from self._executed(submission, slot, block, slot.state)

    def _executed(
        self, submission: SubmitBlockRequest, slot: Slot, block: Block, state: StateSource
    ) -> Iterator[SubmissionCheck]:
        if isinstance(state, Prestate):
            state = knowing_protocol_accounts(state, block_env(block.header, slot.context.schedule))
        try:
            executable = replace(block, withdrawals=known_withdrawals(state, block.withdrawals))
            result = execute_block(self._engine, state, executable, slot.context.schedule)
        except MissingState as error:
            yield failed("execution", "missing_trie_node", f"missing trie node: {error}")
            return
        except InvalidBlock as error:
            yield failed("execution", "invalid_block", str(error))
            return
        except InputError as error:
            yield failed("execution", "invalid_transaction", str(error))
            return
        executed = f"{len(block.transactions)} transactions executed by {self._engine.name}"
        yield passed("execution", f"{executed}; {slot.note}" if slot.note else executed)
        yield outcome_matches(block, result)
        yield requests_match(block, result)
        yield proposer_paid(submission, block, result, state, self._rule)
        yield state_root_matches(block.header, result, state)


def header_follows(header: Header, slot: Slot) -> SubmissionCheck:
    """The header is one that may follow the parent in this slot."""
    context = slot.context
    pairs = (
        ("block number", header.number, context.number),
        ("parent hash", header.parent_hash, context.parent_hash),
        ("timestamp", header.timestamp, context.timestamp),
        ("base fee", header.base_fee_per_gas_wei, context.base_fee_per_gas_wei),
        ("gas limit", header.gas_limit, context.gas_limit),
        ("excess blob gas", header.excess_blob_gas, context.excess_blob_gas),
    )
    for name, found, expected in pairs:
        if found != expected:
            code = name.replace(" ", "_") + "_mismatch"
            return failed(
                "header", code, f"{name} mismatch: got {_shown(found)}, expected {_shown(expected)}"
            )
    return passed("header", "number, base fee, gas limit and excess blob gas follow the parent")


def block_size(block: Block) -> SubmissionCheck:
    """The encoded block is small enough to be gossiped (EIP-7934)."""
    size = len(encode_block(block))
    if size > MAX_RLP_BLOCK_BYTES:
        return failed("block_size", "block_too_large", f"{size} bytes, at most {MAX_RLP_BLOCK_BYTES}")
    return passed("block_size", f"{size} bytes")


def outcome_matches(block: Block, result: BlockResult) -> SubmissionCheck:
    """Gas used, receipts root and bloom are those of execution."""
    header = block.header
    bloom = logs_bloom([log for receipt in result.receipts for log in receipt.logs])
    pairs = (
        ("gas used", header.gas_used, result.gas_used),
        ("receipts root", header.receipts_root, result.receipts_root),
        ("logs bloom", header.logs_bloom, bloom),
    )
    for name, found, expected in pairs:
        if found != expected:
            code = name.replace(" ", "_") + "_mismatch"
            return failed(
                "receipts", code, f"{name} mismatch: got {_shown(found)}, expected {_shown(expected)}"
            )
    return passed("receipts", f"{result.gas_used} gas, receipts root and bloom equal")


def requests_match(block: Block, result: BlockResult) -> SubmissionCheck:
    """The requests are those the block makes (Prague on)."""
    if block.header.requests_hash is None:
        return passed("requests", "none before Prague")
    expected = requests_hash(requests_of(result.sim.requests))
    if block.header.requests_hash != expected:
        return failed("requests", "requests_hash_mismatch", f"expected {_shown(expected)}")
    return passed("requests", f"{len(result.sim.requests)} kinds of requests")


def proposer_paid(
    submission: SubmitBlockRequest, block: Block, result: BlockResult, state: StateSource, rule: PaymentRule
) -> SubmissionCheck:
    """The proposer's fee recipient receives the bid."""
    bid, recipient = submission.message.value, submission.message.proposer_fee_recipient
    gained = _gain_without_withdrawals(recipient, block, result, state)
    if gained == bid or (gained > bid and not rule.strict):
        return passed("payment", f"the fee recipient gained {gained} wei, the bid is {bid}")
    if not rule.strict and block.transactions and _pays_exactly(block, result, recipient, bid):
        return passed("payment", f"the last transaction pays {bid} wei")
    detail = f"could not verify proposer payment: bid {bid} wei, gained {gained} wei"
    return failed("payment", "payment_missing", detail)


def _gain_without_withdrawals(recipient: bytes, block: Block, result: BlockResult, state: StateSource) -> int:
    diff = result.state_diff.get(recipient)
    if diff is None or diff.balance_wei is None:
        gained = 0
    else:
        gained = diff.balance_wei - state.account(recipient).balance_wei
    executed = known_withdrawals(state, block.withdrawals)
    withdrawn = sum(item.amount_gwei * GWEI for item in executed if item.address == recipient)
    return gained - withdrawn


def _pays_exactly(block: Block, result: BlockResult, recipient: bytes, bid: int) -> bool:
    last: Transaction = block.transactions[-1]
    return (
        result.sim.txs[-1].status is TxStatus.SUCCESS
        and last.to == recipient
        and last.value_wei == bid
        and not last.data
        and last.effective_priority_fee_wei(block.header.base_fee_per_gas_wei) == 0
    )


def state_root_matches(header: Header, result: BlockResult, state: StateSource) -> SubmissionCheck:
    """The state root is the one execution leaves, where the whole state is known."""
    root = state_root_after(state, result.state_diff)
    if root is None:
        kind = "a witness" if isinstance(state, Prestate) else "read from a node"
        return passed("state_root", f"not judged: the state is {kind}, not whole")
    if header.state_root != root:
        detail = f"state root mismatch: got {_shown(header.state_root)}, expected {_shown(root)}"
        return failed("state_root", "state_root_mismatch", detail)
    return passed("state_root", _shown(root))


def _shown(value: bytes | int | None) -> str:
    return to_hex(value) if isinstance(value, bytes) else str(value)
