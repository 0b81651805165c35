"""Block building and the dry-run submission to a relay."""

import asyncio
from typing import Any

import dagster as dg

from assets.links import links
from assets.per_block import RunOrder, block_asset
from assets.plots import bars
from assets.search import agreement, opportunities, store_candidates
from assets.tables import ether, preview
from mev_dagster.errors import UnsupportedFork
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs.client.relay import SlotDuty, SubmissionReport
from mev_dagster.pbs.dry_run import context_for, duty_for, template_for
from mev_dagster.pbs.orders import OrderKind
from mev_dagster.pbs.reward import Reward, reward_of, tips_of
from mev_dagster.pbs.rows import receipt_rows, submission_rows, template_rows
from mev_dagster.pbs.template import BlockTemplate, submission_of
from mev_dagster.units import NS_PER_MS
from resources.block_search import BlockSearch
from resources.relay import RelayResource

OWNERS = ["team:pbs"]
WINNERS_CHECK = "winners_agree_with_reference"
REWARD_CHECK = "bid_is_paid_and_earned"

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
            REWARD_CHECK,
            asset="block_templates",
            blocking=True,
            description="The sealed block pays the proposer exactly the bid, and earns at least that: "
            "payment from its last transaction, tips from its receipts, reward from executing it whole.",
        ),
        dg.AssetCheckSpec(
            WINNERS_CHECK,
            asset="block_templates",
            description="Every candidate that entered the block came out the same on py_evm.",
        ),
    ],
)
def block_templates(block: BlockSearch, relay: RelayResource) -> dg.MaterializeResult:
    """A block of the best candidates and pending transactions, executed, paid to the proposer and sealed."""
    try:
        template = build(block, asyncio.run(duty(block, relay)))
    except UnsupportedFork as error:
        return dg.MaterializeResult(
            metadata={"dagster/row_count": 0, "skipped": str(error)},
            check_results=[
                dg.AssetCheckResult(check_name=REWARD_CHECK, passed=True, metadata={"built": False}),
                agreement(WINNERS_CHECK, block.rechecked),
            ],
        )
    block.template = template
    reward = reward_of(template)
    with block.tracing.span("block.seal", parent=block.root, value_wei=str(template.bid_wei)):
        rows = template_rows(template, trace_id=block.trace_id)
        block.replace("block_templates", {"block_number": block.number}, rows)
    header = template.sealed.block.header
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": 1,
            "bid_eth": ether(template.bid_wei),
            "reward_eth": ether(reward.reward_wei),
            "tips_eth": ether(reward.tips_wei),
            "landed_tips_eth": ether(sum(tips_of(block.block, block.receipts))),
            "builder_profit_eth": ether(template.profit_wei),
            "transactions": len(template.sealed.block.transactions),
            "candidates_included": len(template.opportunity_ids),
            "orders_dropped": len(template.dropped),
            "gas_used": header.gas_used,
            "gas_full": header.gas_used / header.gas_limit,
            "block_hash": to_hex(template.sealed.block.hash),
            **links(block),
            "state_root_known": template.sealed.state_root_known,
            "gas_by_order": bars(
                "gas by order in the block; candidates in orange",
                [sum(tx.gas_used for tx in item.results) for item in template.included],
                marked=[item.order.kind is OrderKind.CANDIDATE for item in template.included],
            ),
            "orders": preview(
                (
                    {"order": item.order.order_id, "kind": item.order.kind.value, "value_wei": item.value_wei}
                    for item in template.included
                ),
                ("order", "kind", "value_wei"),
            ),
            "landed_gas_used": block.block.header.gas_used,
        },
        check_results=[judged(reward), agreement(WINNERS_CHECK, block.rechecked)],
    )


def judged(reward: Reward) -> dg.AssetCheckResult:
    """Return the verdict on a block's money, with the figures it was held against."""
    return dg.AssetCheckResult(
        check_name=REWARD_CHECK,
        passed=not reward.problems,
        metadata={
            "bid_eth": ether(reward.bid_wei),
            "payment_eth": ether(reward.payment_wei),
            "tips_eth": ether(reward.tips_wei),
            "reward_eth": ether(reward.reward_wei),
            "problems": "; ".join(reward.problems),
        },
    )


@block_asset(
    "pbs",
    table="relay_submissions",
    team="pbs",
    order=RunOrder.TO_THE_RELAY,
    deps=[block_templates],
    checks=[
        dg.AssetCheckSpec(
            "relay_accepted",
            asset="relay_submissions",
            description="The relay verified the block and its data API lists the bid.",
        )
    ],
)
def relay_submissions(block: BlockSearch, relay: RelayResource) -> dg.MaterializeResult:
    """Every attempt to hand the block to the relay in a dry run, and what the relay checked and answered."""
    template = block.template
    if template is None:
        try:
            template = build(block, asyncio.run(duty(block, relay)))
        except UnsupportedFork as error:
            return not_submitted(str(error))
    if not template.bid_wei:
        return not_submitted("the block is worth nothing to the proposer")
    block.fence.check()  # nothing is submitted for a slot that another block has taken
    report, receipts = asyncio.run(submit(block, template, relay))
    where = {"block_number": block.number}
    rows = submission_rows(report, opportunity_ids=template.opportunity_ids)
    block.replace("relay_submissions", where, rows)
    block.replace("relay_receipts", where, receipt_rows(report, receipts))
    last = report.attempts[-1] if report.attempts else None
    checks = [check for receipt in receipts for check in receipt["checks"]]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(report.attempts),
            "accepted": report.accepted,
            "ended": report.ended,
            "bid_eth": ether(template.bid_wei),
            "http_status": last.status if last else 0,
            "latency_ms": last.latency_ns // NS_PER_MS if last else 0,
            **links(block),
            "attempts_ms": bars(
                "latency by attempt (ms)", [attempt.latency_ns / NS_PER_MS for attempt in report.attempts]
            ),
            "relay_checks": preview(checks, ("name", "ok", "message")),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="relay_accepted",
                passed=report.accepted,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"ended": report.ended, "message": last.message if last else ""},
            )
        ],
    )


def not_submitted(reason: str) -> dg.MaterializeResult:
    """Say why there was nothing to submit, which is no fault."""
    return dg.MaterializeResult(
        metadata={"dagster/row_count": 0, "skipped": reason},
        check_results=[
            dg.AssetCheckResult(check_name="relay_accepted", passed=True, metadata={"submitted": False})
        ],
    )


async def duty(block: BlockSearch, relay: RelayResource) -> SlotDuty:
    """Ask the relay who proposes the block's slot."""
    context = context_for(block.block, block.source.chain_id)
    async with relay.client(block.tracing) as client:
        return await duty_for(client, block.inputs, context, block.block)


def build(block: BlockSearch, duty: SlotDuty) -> BlockTemplate:
    """Build the block for its slot's proposer; without a winner that the reference disproves, once more."""
    context = context_for(block.block, block.source.chain_id)
    with block.tracing.span("block.build", parent=block.root, candidates=len(block.result.candidates)):
        while True:
            template = template_for(
                block.inputs, block.result, context, duty, engine=block.engine, keys=block.keys
            )
            if block.rechecked.hold(template.opportunity_ids):
                return template
            store_candidates(block)


async def submit(
    block: BlockSearch, template: BlockTemplate, relay: RelayResource
) -> tuple[SubmissionReport, list[dict[str, Any]]]:
    """Submit the template; return the report and the relay's receipts."""
    async with relay.client(block.tracing) as client:
        report = await client.submit(submission_of(template, block.keys), parent=block.root)
        return report, await client.receipts(template.sealed.block.hash)
