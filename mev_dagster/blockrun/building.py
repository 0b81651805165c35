"""Build: from a decision to the sealed blocks that a slot's proposer is offered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from opentelemetry.trace import Span

from mev_dagster.blockrun.decide import Decision
from mev_dagster.chain.blocks import Block
from mev_dagster.chain.forks import ForkSchedule
from mev_dagster.chain.networks import schedule_for
from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import NodeAnswerError, NoProposer, RelayRefused, RelayUnreachable
from mev_dagster.evm.types import SimulationEngine
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs.bidding import BidStrategy, TrueValue
from mev_dagster.pbs.client.relay import RelayClient
from mev_dagster.pbs.client.report import SlotDuty
from mev_dagster.pbs.context import BlockContext, Proposer, context_of
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.orders import Order, Resigner
from mev_dagster.pbs.sandbox.posts import slot_to_json
from mev_dagster.pbs.sandbox.slots import clock_for
from mev_dagster.pbs.template import BlockTemplate, build_templates
from mev_dagster.plugins import one_block
from mev_dagster.search.inputs import SearchInputs, known_only
from mev_dagster.search.rank import Candidate
from mev_dagster.search.run import SearchResult
from mev_dagster.search.searcher import Searcher, bid_for
from mev_dagster.telemetry.tracing import Tracing

NO_STRATEGIES: Mapping[str, BidStrategy] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class OfferedBlock:
    """A sealed block and the relays it is offered to, by name; none named: to every relay."""

    template: BlockTemplate
    relays: tuple[str, ...] = ()


@one_block()
def build_blocks(
    inputs: SearchInputs,
    decision: Decision,
    landed: Block,
    duty: SlotDuty,
    *,
    engine: SimulationEngine,
    keys: Keyring,
    tracing: Tracing,
    parent: Span,
    strategies: Mapping[str, BidStrategy] = NO_STRATEGIES,
    on_disproved: Callable[[], None] = lambda: None,
    bundles: Sequence[Order] = (),
) -> tuple[OfferedBlock, ...]:
    """Build the block of a decision; without a winner that the reference disproves, once more.

    `strategies` are those of the relays, by name. A block for each different bid, the highest first; absent
    any strategy, the block's whole value is bid to every relay. `on_disproved` is told each time the
    candidates have become fewer.
    """
    context = context_for(landed, inputs.env.chain_id)
    with tracing.span("block.build", parent=parent, candidates=len(decision.result.candidates)) as span:
        while True:
            templates = templates_for(
                inputs,
                decision.result,
                context,
                duty,
                engine=engine,
                keys=keys,
                strategies=tuple(strategies.values()) or (TrueValue(),),
                bundles=bundles,
            )
            template, offered = templates[0], _offered(templates, tuple(strategies))
            if decision.candidates.hold(template.opportunity_ids):
                break
            on_disproved()
        span.set_attributes(
            {
                "opportunity_ids": [to_hex(found) for found in template.opportunity_ids],
                "block_hash": to_hex(offered[0].template.sealed.block.hash),
                "bid_wei": str(offered[0].template.bid_wei),
            }
        )
        return offered


def _offered(templates: Sequence[BlockTemplate], names: Sequence[str]) -> tuple[OfferedBlock, ...]:
    """Put the relays of one block together, the highest bid first."""
    relays: dict[bytes, list[str]] = {}
    for template, name in zip(templates, names, strict=False):
        relays.setdefault(template.sealed.block.hash, []).append(name)
    if len(relays) < 2:
        return (OfferedBlock(templates[0]),)
    blocks = {template.sealed.block.hash: template for template in templates}
    offered = [OfferedBlock(blocks[found], tuple(to)) for found, to in relays.items()]
    return tuple(sorted(offered, key=lambda one: -one.template.bid_wei))


def context_for(block: Block, chain: int | ForkSchedule) -> BlockContext:
    """Return the context of a block that landed, in its chain's slot."""
    schedule = schedule_for(chain) if isinstance(chain, int) else chain
    slot = clock_for(schedule.chain_id).slot_at(block.header.timestamp)
    return context_of(block, schedule, slot)


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


async def duty_of_any(
    clients: Sequence[RelayClient], inputs: SearchInputs, context: BlockContext, block: Block
) -> SlotDuty:
    """Return the slot's proposer from the first relay that names one; `NoProposer` where none does."""
    troubles = []
    for client in clients:
        try:
            return await duty_for(client, inputs, context, block)
        except (RelayUnreachable, RelayRefused, NodeAnswerError) as error:
            troubles.append(f"{client.name}: {error.code}: {error}")
    raise NoProposer("; ".join(troubles) or "none of the settings' relays can be used")


def templates_for(
    inputs: SearchInputs,
    result: SearchResult,
    context: BlockContext,
    duty: SlotDuty,
    *,
    engine: SimulationEngine,
    keys: Keyring,
    strategies: Sequence[BidStrategy],
    bundles: Sequence[Order] = (),
) -> tuple[BlockTemplate, ...]:
    """Build the block of a search result for a proposer, once for each strategy that bids otherwise.

    Candidates of an injected searcher are left out: neither it nor its executor is on the chain, so no relay
    could execute them (docs/decisions/0003).
    """
    message = duty.registration.message
    searcher = result.searcher
    buildable = searcher is not None and not searcher.injected
    return build_templates(
        engine,
        known_only(inputs.prestate),
        replace(context, slot=duty.slot),
        Proposer(message.pubkey, message.fee_recipient, message.gas_limit),
        keys,
        candidates=result.candidates if buildable else (),
        resigner=_resigner(inputs, searcher) if searcher is not None else None,
        pending=[entry.tx for entry in inputs.pending],
        strategies=strategies,
        bundles=bundles,
    )


def _resigner(inputs: SearchInputs, searcher: Searcher) -> Resigner[Candidate]:
    price = bid_for(inputs.env, [entry.tx for entry in inputs.pending])

    def sign(candidate: Candidate, count: int) -> tuple[Transaction, ...]:
        return replace(searcher, nonce=searcher.nonce + count).sign(candidate.plan, inputs.env, price)

    return Resigner(searcher.address, sign)
