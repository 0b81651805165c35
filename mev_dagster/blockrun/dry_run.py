"""One block from its decision to the relay's receipt, without a store, as `mev relay submit` runs it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mev_dagster.blockrun.building import build_block, context_for, duty_of_any
from mev_dagster.blockrun.decide import Decision
from mev_dagster.blockrun.handing_over import HandedOver, hand_over
from mev_dagster.chain.blocks import Block
from mev_dagster.evm.types import SimulationEngine
from mev_dagster.pbs.bidding import BidStrategy
from mev_dagster.pbs.client.relay import RelayClient
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.template import BlockTemplate, unsigned_submission
from mev_dagster.search.inputs import SearchInputs
from mev_dagster.telemetry.tracing import Tracing, trace_id_of


@dataclass(frozen=True, slots=True)
class DryRun:
    """What became of one block: the template, and what each relay made of it; none where it bids nothing."""

    template: BlockTemplate
    handed_over: tuple[HandedOver, ...]
    trace_id: bytes


async def dry_run(
    inputs: SearchInputs,
    decision: Decision,
    landed: Block,
    *,
    clients: Sequence[RelayClient],
    engine: SimulationEngine,
    keys: Keyring,
    tracing: Tracing,
    deadline_ms: int,
    superseded: Callable[[], bool],
    strategy: BidStrategy | None = None,
) -> DryRun:
    """Ask for the slot's proposer, build, bid, submit to every relay at once, and read the receipts.

    The submission, not the building before it, has `deadline_ms`.
    """
    context = context_for(landed, inputs.env.chain_id)
    with tracing.span("slot", slot=context.slot, block_number=context.number) as slot:
        template = build_block(
            inputs,
            decision,
            landed,
            await duty_of_any(clients, inputs, context, landed),
            engine=engine,
            keys=keys,
            tracing=tracing,
            parent=slot,
            strategy=strategy,
        )
        handed_over = await asyncio.gather(
            *(
                hand_over(
                    unsigned_submission(template),
                    client,
                    keys,
                    parent=slot,
                    deadline_ms=deadline_ms,
                    superseded=superseded,
                )
                for client in (clients if template.bid_wei else ())
            )
        )
        return DryRun(template, tuple(handed_over), trace_id_of(slot))
