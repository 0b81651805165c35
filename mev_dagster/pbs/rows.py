"""Templates, submissions and receipts as store columns: the one place that knows both shapes."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mev_dagster.errors import NoProposer
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs.client.answers import AnswerClass
from mev_dagster.pbs.client.report import Attempt, SubmissionReport
from mev_dagster.pbs.client.transport import MAX_MESSAGE_CHARACTERS
from mev_dagster.pbs.context import BlockContext
from mev_dagster.pbs.order_pool import OrderEvent, OrderState
from mev_dagster.pbs.orders import OrderKind
from mev_dagster.pbs.template import BlockTemplate
from mev_dagster.units import NS_PER_SECOND

Columns = dict[str, list[Any]]
MOST_DETAIL = 500


def template_rows(template: BlockTemplate, *, trace_id: bytes | None = None) -> Columns:
    """Return the `block_templates` row of a template."""
    header = template.sealed.block.header
    return _one_row(
        block_number=header.number,
        block_time=header.timestamp * NS_PER_SECOND,
        block_hash=template.sealed.block.hash,
        parent_hash=header.parent_hash,
        coinbase=header.coinbase,
        proposer_fee_recipient=template.proposer.fee_recipient,
        gas_limit=header.gas_limit,
        gas_used=header.gas_used,
        base_fee_per_gas_wei=header.base_fee_per_gas_wei,
        tx_hashes=[tx.hash for tx in template.sealed.block.transactions],
        opportunity_ids=list(template.opportunity_ids),
        value_wei=template.bid_wei,
        profit_wei=template.profit_wei,
        state_root=header.state_root,
        state_root_known=template.sealed.state_root_known,
        transactions_root=header.transactions_root,
        receipts_root=header.receipts_root,
        detail=_detail(template),
        trace_id=trace_id,
    )


def _detail(template: BlockTemplate) -> str:
    """Say what was left out and why, as compact JSON; candidates by id, pending transactions by count."""
    dropped = template.dropped
    return json.dumps(
        {
            "payment": template.payment.value,
            "block_value_wei": str(template.block_value_wei),
            "payout_cost_wei": str(template.payout_cost_wei),
            "candidates": [
                {"opportunity_id": to_hex(item.order.order_id), "code": item.code, "detail": item.detail}
                for item in dropped
                if item.order.kind is OrderKind.CANDIDATE
            ],
            "pending": dict(
                sorted(Counter(i.code for i in dropped if i.order.kind is OrderKind.PENDING).items())
            ),
        },
        separators=(",", ":"),
    )


def order_event_rows(
    number: int, time_ns: int, events: Iterable[OrderEvent], template: BlockTemplate
) -> Columns:
    """Return the `order_events` rows of a block: the pool's own, then where each order came to in it."""
    rows: list[dict[str, Any]] = [
        {"order_id": event.order_id, "kind": "", "state": event.state.value, "reason": event.reason}
        for event in events
    ]
    rows += [
        {
            "order_id": item.order.order_id,
            "kind": item.order.kind.value,
            "state": OrderState.INCLUDED.value,
            "value_wei": item.value_wei,
            "gas_used": sum(result.gas_used for result in item.results),
        }
        for item in template.included
    ]
    rows += [
        {
            "order_id": item.order.order_id,
            "kind": item.order.kind.value,
            "state": OrderState.DROPPED.value,
            "reason": item.code,
            "detail": item.detail[:MOST_DETAIL],
        }
        for item in template.dropped
    ]
    blank = {"reason": "", "detail": "", "value_wei": 0, "gas_used": 0}
    return _rows(
        [
            {"block_number": number, "block_time": time_ns, "step": step, **blank, **row}
            for step, row in enumerate(rows)
        ]
    )


def _one_row(**values: Any) -> Columns:
    return {name: [value] for name, value in values.items()}


def submission_rows(report: SubmissionReport, *, opportunity_ids: Sequence[bytes] = ()) -> Columns:
    """Return one `relay_submissions` row for each attempt; one with attempt 0 where nothing was sent.

    The last row tells how the whole submission ended, the ones before it what each was answered.
    """
    message = report.submission.message
    payload = report.submission.execution_payload
    attempts = report.attempts or (_nothing_sent(report),)
    return _rows(
        [
            {
                "block_number": payload.block_number,
                "block_time": payload.timestamp * NS_PER_SECOND,
                "slot": message.slot,
                "block_hash": message.block_hash,
                "relay": report.relay,
                "attempt": attempt.number,
                "submitted_at": attempt.sent_ns,
                "latency_ns": attempt.latency_ns,
                "status": attempt.status,
                "error_class": _error_class(report, attempt, last=attempt is attempts[-1]),
                "message": attempt.message,
                "accepted": report.accepted and attempt is attempts[-1],
                "dry_run": True,
                "value_wei": message.value,
                "builder_pubkey": message.builder_pubkey,
                "opportunity_ids": list(opportunity_ids),
                "request_bytes": attempt.request_bytes,
                "trace_id": attempt.trace_id or None,
                "span_id": attempt.span_id or None,
            }
            for attempt in attempts
        ]
    )


def _error_class(report: SubmissionReport, attempt: Attempt, *, last: bool) -> str:
    if not last:
        return attempt.outcome.value
    return "" if report.accepted else report.ended.value


def _nothing_sent(report: SubmissionReport) -> Attempt:
    return Attempt(
        number=0,
        sent_ns=report.started_ns,
        latency_ns=0,
        waited_s=0.0,
        status=0,
        outcome=AnswerClass.UNKNOWN,
        message="nothing was sent",
        request_bytes=0,
        trace_id=b"",
        span_id=b"",
    )


def unsent_rows(
    context: BlockContext, block_hash: bytes, relays: Sequence[str], why: str, now_ns: int
) -> Columns:
    """Return each relay's `relay_submissions` row of a block that could not be built: attempt 0.

    `block_hash` is that of the block that landed in its place.
    """
    return _rows(
        [
            {
                "block_number": context.number,
                "block_time": context.timestamp * NS_PER_SECOND,
                "slot": context.slot,
                "block_hash": block_hash,
                "relay": relay,
                "attempt": 0,
                "submitted_at": now_ns,
                "latency_ns": 0,
                "status": 0,
                "error_class": NoProposer.code,
                "message": why[:MAX_MESSAGE_CHARACTERS],
                "accepted": False,
                "dry_run": True,
                "value_wei": 0,
                "builder_pubkey": bytes(48),
                "opportunity_ids": [],
                "request_bytes": 0,
                "trace_id": None,
                "span_id": None,
            }
            for relay in relays
        ]
    )


def receipt_rows(report: SubmissionReport, receipts: Sequence[Mapping[str, Any]]) -> Columns:
    """Return the `relay_receipts` rows that answer this report's attempts, joined by the sender's span."""
    payload = report.submission.execution_payload
    attempts = {attempt.span_id.hex(): attempt.number for attempt in report.attempts}
    return _rows(
        [
            {
                "block_number": payload.block_number,
                "block_time": payload.timestamp * NS_PER_SECOND,
                "block_hash": payload.block_hash,
                "relay": report.relay,
                "attempt": attempts[receipt["sender_span_id"]],
                "received_at": int(receipt["received_ns"]),
                "accepted": receipt["accepted"],
                "code": receipt["code"],
                "message": receipt["message"],
                "check_names": [check["name"] for check in receipt["checks"]],
                "check_ok": [check["ok"] for check in receipt["checks"]],
                "check_messages": [check["message"] for check in receipt["checks"]],
                "trace_id": bytes.fromhex(receipt["trace_id"]),
            }
            for receipt in receipts
            if receipt["sender_span_id"] in attempts
        ]
    )


def joined_rows(parts: Sequence[Columns]) -> Columns:
    """Return the rows of several relays under one another."""
    filled = [part for part in parts if part]
    return {
        name: [value for part in filled for value in part[name]] for name in (filled[0] if filled else ())
    }


def _rows(rows: Sequence[Mapping[str, Any]]) -> Columns:
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
