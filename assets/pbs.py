"""Block building and the dry-run submission to a relay."""

import dagster as dg

from assets.links import links
from assets.per_block import RunOrder, block_asset
from assets.search import opportunities
from assets.shown import pbs as shown
from assets.shown.search import agreement
from mev_dagster.blockrun import steps
from mev_dagster.blockrun.run import BlockRun
from mev_dagster.errors import NoProposer, StepMissing, UnsupportedFork
from resources.relay import RelayResource

OWNERS = ["team:pbs"]

relays = dg.AssetSpec(
    "relays",
    group_name="sources",
    kinds={"http"},
    owners=OWNERS,
    description="Relays that take dry-run submissions: the local sandbox unless MEV_RELAY_URL names another.",
)


@block_asset(
    "pbs",
    table="block_templates",
    team="pbs",
    order=RunOrder.TO_THE_RELAY,
    deps=[opportunities, relays],
    checks=[
        dg.AssetCheckSpec(
            shown.BID_IS_PAID,
            asset="block_templates",
            blocking=True,
            description="The sealed block pays the proposer exactly the bid, and earns at least that: "
            "payment from its last transaction, tips from its receipts, reward from executing it whole.",
        ),
        dg.AssetCheckSpec(
            shown.WINNERS_AGREE,
            asset="block_templates",
            description="Every candidate that entered the block came out the same on py_evm.",
        ),
    ],
)
def block_templates(block: BlockRun, relay: RelayResource) -> dg.MaterializeResult:
    """A block of the best candidates and pending transactions, executed, paid to the proposer and sealed.

    One for each different bid of the relays' strategies.
    """
    try:
        offered = relay.ask(block.spans, lambda clients: steps.build_offers(block, clients))
    except (UnsupportedFork, NoProposer) as error:
        return shown.not_built(str(error), block.decision.candidates)
    return dg.MaterializeResult(
        metadata={**shown.template(offered, block.block, block.receipts), **links(block, block.trace_id)},
        check_results=[
            shown.bid_paid(offered),
            agreement(shown.WINNERS_AGREE, block.decision.candidates),
        ],
    )


@block_asset(
    "pbs",
    table="relay_submissions",
    team="pbs",
    order=RunOrder.TO_THE_RELAY,
    deps=[block_templates],
    checks=[
        dg.AssetCheckSpec(
            shown.RELAY_ACCEPTED,
            asset="relay_submissions",
            description="Each relay verified the block and lists the bid, or holds one at least as high.",
        )
    ],
)
def relay_submissions(block: BlockRun, relay: RelayResource) -> dg.MaterializeResult:
    """Every attempt to hand the block to the relay in a dry run, and what the relay checked and answered."""
    try:
        submitted = relay.ask(block.spans, lambda clients: steps.submit_stored(block, clients))
    except UnsupportedFork as error:
        return shown.not_submitted(str(error))
    except StepMissing:
        silence = relay.ask(block.spans, lambda clients: steps.keep_silence(block, clients))
        if not silence:
            raise
        return shown.silent(silence)
    if not submitted.handed_over:
        return shown.not_submitted("the block is worth nothing to the proposer")
    return dg.MaterializeResult(
        metadata={
            **shown.submission(submitted.handed_over, submitted.block.bid_wei),
            **links(block, submitted.block.trace_id),
        },
        check_results=[shown.accepted(submitted.handed_over)],
    )
