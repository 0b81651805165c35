"""One block from its decision to the relay's receipt, without a store, as `mev relay submit` runs it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mev_dagster.blockrun.building import (
    NO_STRATEGIES,
    OfferedBlock,
    build_blocks,
    context_for,
    duty_of_any,
)
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
    """What became of one block: the template of the highest bid, and what each relay made of its own.

    None where it bids nothing.
    """

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
    strategies: Mapping[str, BidStrategy] = NO_STRATEGIES,
) -> DryRun:
    """Ask for the slot's proposer, build, bid, submit to every relay at once, and read the receipts.

    The submission, not the building before it, has `deadline_ms`.
    """
    context = context_for(landed, inputs.env.chain_id)
    with tracing.span("slot", slot=context.slot, block_number=context.number) as slot:
        offered = build_blocks(
            inputs,
            decision,
            landed,
            await duty_of_any(clients, inputs, context, landed),
            engine=engine,
            keys=keys,
            tracing=tracing,
            parent=slot,
            strategies=strategies,
        )
        template = offered[0].template
        offers = [(client, _offered_to(client.name, offered)) for client in clients]
        handed_over = await asyncio.gather(
            *(
                hand_over(
                    unsigned_submission(block),
                    client,
                    keys,
                    parent=slot,
                    deadline_ms=deadline_ms,
                    superseded=superseded,
                )
                for client, block in offers
                if block.bid_wei
            )
        )
        return DryRun(template, tuple(handed_over), trace_id_of(slot))


def _offered_to(relay: str, offered: Sequence[OfferedBlock]) -> BlockTemplate:
    return next(one.template for one in offered if not one.relays or relay in one.relays)
