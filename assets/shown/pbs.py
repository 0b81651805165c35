"""What the block-building assets show."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from assets.plots import bars
from assets.shown.search import agreement
from assets.tables import ether, preview
from assets.verdicts import without_verdict
from mev_dagster.blockrun.building import OfferedBlock
from mev_dagster.blockrun.handing_over import HandedOver
from mev_dagster.chain.blocks import Block
from mev_dagster.chain.receipts import Receipt
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs.client.report import SubmissionEnd, SubmissionReport
from mev_dagster.pbs.orders import OrderKind
from mev_dagster.pbs.reward import reward_of, tips_of
from mev_dagster.search.recheck import RecheckedSearch
from mev_dagster.units import NS_PER_MS

WINNERS_AGREE = "winners_agree_with_reference"
BID_IS_PAID = "bid_is_paid_and_earned"
RELAY_ACCEPTED = "relay_accepted"


def template(offered: Sequence[OfferedBlock], landed: Block, receipts: Sequence[Receipt]) -> dict[str, Any]:
    """Return what the sealed block of the highest bid holds and earns, beside the block that landed."""
    made = offered[0].template
    header, reward = made.sealed.block.header, reward_of(made)
    bids = {", ".join(one.relays): ether(one.template.bid_wei) for one in offered if one.relays}
    return {
        "dagster/row_count": len(offered),
        **({"bids_by_relay": dg.MetadataValue.json(bids)} if bids else {}),
        "bid_eth": ether(made.bid_wei),
        "reward_eth": ether(reward.reward_wei),
        "tips_eth": ether(reward.tips_wei),
        "landed_tips_eth": ether(sum(tips_of(landed, receipts))),
        "builder_profit_eth": ether(made.profit_wei),
        "transactions": len(made.sealed.block.transactions),
        "candidates_included": len(made.opportunity_ids),
        "orders_dropped": len(made.dropped),
        "gas_used": header.gas_used,
        "gas_full": header.gas_used / header.gas_limit,
        "block_hash": to_hex(made.sealed.block.hash),
        "state_root_known": made.sealed.state_root_known,
        "gas_by_order": bars(
            "gas by order in the block; candidates in orange",
            [sum(tx.gas_used for tx in item.results) for item in made.included],
            marked=[item.order.kind is OrderKind.CANDIDATE for item in made.included],
        ),
        "orders": preview(
            (
                {"order": item.order.order_id, "kind": item.order.kind.value, "value_wei": item.value_wei}
                for item in made.included
            ),
            ("order", "kind", "value_wei"),
        ),
        "landed_gas_used": landed.header.gas_used,
    }


def bid_paid(offered: Sequence[OfferedBlock]) -> dg.AssetCheckResult:
    """Return the verdict on the money of every block, with the figures the highest bid was held against."""
    rewards = [reward_of(one.template) for one in offered]
    reward, problems = rewards[0], [problem for one in rewards for problem in one.problems]
    return dg.AssetCheckResult(
        check_name=BID_IS_PAID,
        passed=not problems,
        metadata={
            "bid_eth": ether(reward.bid_wei),
            "payment_eth": ether(reward.payment_wei),
            "tips_eth": ether(reward.tips_wei),
            "reward_eth": ether(reward.reward_wei),
            "problems": "; ".join(problems),
        },
    )


def not_built(reason: str, checked: RecheckedSearch) -> dg.MaterializeResult[Any]:
    """Say why there was nothing to build, which is no fault."""
    return dg.MaterializeResult(
        metadata={"dagster/row_count": 0, "skipped": reason},
        check_results=[
            without_verdict(BID_IS_PAID, reason),
            agreement(WINNERS_AGREE, checked),
        ],
    )


def submission(handed_over: Sequence[HandedOver], bid_wei: int) -> dict[str, Any]:
    """Return what became of a submission, relay by relay and attempt by attempt."""
    reports = [one.report for one in handed_over]
    attempts = [attempt for report in reports for attempt in report.attempts]
    last = attempts[-1] if attempts else None
    checks = [check for one in handed_over for receipt in one.receipts for check in receipt["checks"]]
    return {
        "dagster/row_count": sum(max(len(report.attempts), 1) for report in reports),
        "accepted": all(report.accepted for report in reports),
        "ended": _endings(reports),
        "bid_eth": ether(bid_wei),
        "http_status": last.status if last else 0,
        "latency_ms": last.latency_ns // NS_PER_MS if last else 0,
        "attempts_ms": bars(
            "latency by attempt (ms)", [attempt.latency_ns / NS_PER_MS for attempt in attempts]
        ),
        "relay_checks": preview(checks, ("name", "ok", "message")),
    }


def accepted(handed_over: Sequence[HandedOver]) -> dg.AssetCheckResult:
    """Say whether every relay took the block, or has no need of it: it holds a bid that is as high."""
    reports = [one.report for one in handed_over]
    messages = [report.attempts[-1].message for report in reports if report.attempts]
    return dg.AssetCheckResult(
        check_name=RELAY_ACCEPTED,
        passed=all(report.accepted or report.ended is SubmissionEnd.ACCEPTED_SKIPPED for report in reports),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"ended": _endings(reports), "message": "; ".join(filter(None, messages))},
    )


def _endings(reports: Sequence[SubmissionReport]) -> str:
    """Say how it ended; with several relays, at each."""
    if len(reports) == 1:
        return reports[0].ended.value
    return ", ".join(f"{report.relay}: {report.ended.value}" for report in reports)


def not_submitted(reason: str) -> dg.MaterializeResult[Any]:
    """Say why there was nothing to submit, which is no fault."""
    return dg.MaterializeResult(
        metadata={"dagster/row_count": 0, "skipped": reason},
        check_results=[without_verdict(RELAY_ACCEPTED, reason)],
    )


def silent(reason: str) -> dg.MaterializeResult[Any]:
    """Say that no relay could be asked for the slot's proposer: each relay's trouble, not the run's."""
    return dg.MaterializeResult(
        metadata={"dagster/row_count": 0, "skipped": reason},
        check_results=[
            dg.AssetCheckResult(
                check_name=RELAY_ACCEPTED,
                passed=False,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"ended": "no_proposer", "message": reason},
            )
        ],
    )
