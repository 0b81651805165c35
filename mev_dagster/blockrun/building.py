"""Build: from a decision to the sealed block that a slot's proposer is offered."""

from collections.abc import Callable

from opentelemetry.trace import Span

from mev_dagster.blockrun.decide import Decision
from mev_dagster.chain.blocks import Block
from mev_dagster.evm.types import SimulationEngine
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs.bidding import BidStrategy
from mev_dagster.pbs.client.report import SlotDuty
from mev_dagster.pbs.dry_run import context_for, template_for
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.template import BlockTemplate
from mev_dagster.search.inputs import SearchInputs
from mev_dagster.telemetry.tracing import Tracing


def build_block(
    inputs: SearchInputs,
    decision: Decision,
    landed: Block,
    duty: SlotDuty,
    *,
    engine: SimulationEngine,
    keys: Keyring,
    tracing: Tracing,
    parent: Span,
    strategy: BidStrategy | None = None,
    on_disproved: Callable[[], None] = lambda: None,
) -> BlockTemplate:
    """Build the block of a decision; without a winner that the reference disproves, once more.

    `on_disproved` is told each time the candidates have become fewer.
    """
    context = context_for(landed, inputs.env.chain_id)
    with tracing.span("block.build", parent=parent, candidates=len(decision.result.candidates)) as span:
        while True:
            template = template_for(
                inputs, decision.result, context, duty, engine=engine, keys=keys, strategy=strategy
            )
            if decision.candidates.hold(template.opportunity_ids):
                break
            on_disproved()
        span.set_attributes(
            {
                "opportunity_ids": [to_hex(found) for found in template.opportunity_ids],
                "block_hash": to_hex(template.sealed.block.hash),
                "bid_wei": str(template.bid_wei),
            }
        )
        return template
