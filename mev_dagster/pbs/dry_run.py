"""One block from its search result to the relay's receipt: the path demo, assets and `mev relay` share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mev_dagster.chain.blocks import Block
from mev_dagster.chain.forks import schedule_for
from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import NodeAnswerError
from mev_dagster.evm.types import SimulationEngine
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs.bidding import BidStrategy
from mev_dagster.pbs.client.deadline import submission_deadline_ns
from mev_dagster.pbs.client.relay import RelayClient
from mev_dagster.pbs.client.report import SlotDuty, SubmissionReport
from mev_dagster.pbs.context import BlockContext, Proposer, context_of
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.orders import Resigner
from mev_dagster.pbs.sandbox.posts import slot_to_json
from mev_dagster.pbs.sandbox.slots import clock_for
from mev_dagster.pbs.template import BlockTemplate, build_template, submission_of
from mev_dagster.search.inputs import SearchInputs, known_only
from mev_dagster.search.rank import Candidate
from mev_dagster.search.run import SearchResult
from mev_dagster.search.searcher import Searcher, bid_for
from mev_dagster.telemetry.tracing import Tracing, trace_id_of


@dataclass(frozen=True, slots=True)
class DryRun:
    """What became of one block: the template, the submission's attempts, the relay's receipts.

    `report` is None when there was nothing to submit: the block bids nothing.
    """

    template: BlockTemplate
    report: SubmissionReport | None
    receipts: Sequence[dict[str, Any]]
    trace_id: bytes

    @property
    def accepted(self) -> bool:
        """Whether the relay took the block."""
        return self.report is not None and self.report.accepted


async def dry_run(
    inputs: SearchInputs,
    result: SearchResult,
    block: Block,
    *,
    client: RelayClient,
    engine: SimulationEngine,
    keys: Keyring,
    tracing: Tracing,
    deadline_ms: int,
    superseded: Callable[[], bool],
    strategy: BidStrategy | None = None,
) -> DryRun:
    """Ask the relay for the slot's proposer, build, bid, submit, and read the receipt, under one trace.

    The submission, not the building before it, has `deadline_ms`.
    """
    context = context_for(block, inputs.env.chain_id)
    with tracing.span("slot", slot=context.slot, block_number=context.number) as slot:
        duty = await duty_for(client, inputs, context, block)
        with tracing.span("block.build", parent=slot, candidates=len(result.candidates)) as build:
            template = template_for(
                inputs, result, context, duty, engine=engine, keys=keys, strategy=strategy
            )
            build.set_attributes(
                {
                    "opportunity_ids": [to_hex(found) for found in template.opportunity_ids],
                    "block_hash": to_hex(template.sealed.block.hash),
                    "bid_wei": str(template.bid_wei),
                }
            )
        if template.bid_wei == 0:
            return DryRun(template, None, (), trace_id_of(slot))
        submission = submission_of(template, keys)
        report = await client.submit(
            submission,
            parent=slot,
            deadline_ns=submission_deadline_ns(client.clock, bound_ms=deadline_ms),
            superseded=superseded,
        )
        receipts = await client.receipts(submission.message.block_hash) if report.answered else ()
        return DryRun(template, report, receipts, trace_id_of(slot))


def context_for(block: Block, chain_id: int) -> BlockContext:
    """Return the context of a block that landed, in its chain's slot."""
    return context_of(block, schedule_for(chain_id), clock_for(chain_id).slot_at(block.header.timestamp))


async def duty_for(
    client: RelayClient, inputs: SearchInputs, context: BlockContext, block: Block
) -> SlotDuty:
    """Return the slot's proposer from the relay; hand the slot in where the relay has no source for it."""
    try:
        return await client.duty_of_block(context.number)
    except NodeAnswerError:
        state = known_only(inputs.prestate)
        note = "the state was handed in by the builder"
        return await client.post_slot(slot_to_json(context, block.header.coinbase, state, note=note))


def template_for(
    inputs: SearchInputs,
    result: SearchResult,
    context: BlockContext,
    duty: SlotDuty,
    *,
    engine: SimulationEngine,
    keys: Keyring,
    strategy: BidStrategy | None = None,
) -> BlockTemplate:
    """Build the block of a search result for a proposer.

    Candidates of an injected searcher are left out: neither it nor its executor is on the chain, so no relay
    could execute them (docs/decisions/0003).
    """
    message = duty.registration.message
    searcher = result.searcher
    buildable = searcher is not None and not searcher.injected
    return build_template(
        engine,
        known_only(inputs.prestate),
        replace(context, slot=duty.slot),
        Proposer(message.pubkey, message.fee_recipient, message.gas_limit),
        keys,
        candidates=result.candidates if buildable else (),
        resigner=_resigner(inputs, searcher) if searcher is not None else None,
        pending=[entry.tx for entry in inputs.pending],
        strategy=strategy,
    )


def _resigner(inputs: SearchInputs, searcher: Searcher) -> Resigner[Candidate]:
    price = bid_for(inputs.env, [entry.tx for entry in inputs.pending])

    def sign(candidate: Candidate, count: int) -> tuple[Transaction, ...]:
        return replace(searcher, nonce=searcher.nonce + count).sign(candidate.plan, inputs.env, price)

    return Resigner(searcher.address, sign)
