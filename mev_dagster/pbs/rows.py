"""Templates, submissions and receipts as store columns: the one place that knows both shapes."""

import json
from collections import Counter
from typing import Any

from mev_dagster.pbs.orders import OrderKind
from mev_dagster.pbs.template import BlockTemplate

NANOSECONDS = 1_000_000_000
Columns = dict[str, list[Any]]


def template_rows(template: BlockTemplate, *, trace_id: bytes | None = None) -> Columns:
    """Return the `block_templates` row of a template."""
    header = template.sealed.block.header
    return _one_row(
        block_number=header.number,
        block_time=header.timestamp * NANOSECONDS,
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
                {"opportunity_id": "0x" + item.order.order_id.hex(), "code": item.code, "detail": item.detail}
                for item in dropped
                if item.order.kind is OrderKind.CANDIDATE
            ],
            "pending": dict(
                sorted(Counter(i.code for i in dropped if i.order.kind is OrderKind.PENDING).items())
            ),
        },
        separators=(",", ":"),
    )


def _one_row(**values: Any) -> Columns:
    return {name: [value] for name, value in values.items()}
