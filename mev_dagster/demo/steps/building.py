"""From candidates to a block, and the block to a relay: sealed, bid for, submitted dry over HTTP."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from mev_dagster.demo.stage import Outcome, Stage
from mev_dagster.pbs.client.relay import RelayClient, RelayEndpoint, SubmissionReport
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.rows import receipt_rows, submission_rows, template_rows
from mev_dagster.pbs.sandbox.relay import SandboxRelay
from mev_dagster.pbs.sandbox.serve import bind, server_for, url_of
from mev_dagster.pbs.sandbox.slots import SlotBook
from mev_dagster.pbs.sandbox.validator import ExecutionValidator
from mev_dagster.pbs.template import BlockTemplate, build_template, submission_of
from mev_dagster.pbs.types import SubmitBlockRequest
from mev_dagster.telemetry.tracing import JsonLinesExporter, Tracing, trace_id_of

TRACES = "traces.jsonl"


def build(stage: Stage) -> Outcome:
    """Fill, seal and price a block for every slot of the capture."""
    keys = Keyring.test_only(stage.seed)
    for number, result in stage.searches.items():
        slot = stage.slots.of_block(number)
        if slot is None or slot.state is None:
            continue
        stage.templates[number] = build_template(
            stage.engine,
            slot.state,
            slot.context,
            slot.proposer,
            keys,
            candidates=result.candidates,
            pending=[entry.tx for entry in stage.inputs[number].pending],
        )
    built, chosen = stage.templates.values(), stage.built_on
    known = sum(template.sealed.state_root_known for template in built)
    return Outcome(
        len(built) == known == len(stage.searches) and chosen is not None,
        {
            "blocks": len(built),
            "txs": sum(len(template.sealed.block.transactions) for template in built),
            "candidates_included": sum(len(template.opportunity_ids) for template in built),
            "state_roots_known": known,
            "bids_wei": sum(template.bid_wei for template in built),
            "best": _described(stage.templates[chosen[0]]) if chosen else None,
        },
    )


def _described(template: BlockTemplate) -> dict[str, Any]:
    block = template.sealed.block
    return {
        "block": block.header.number,
        "block_hash": block.hash,
        "state_root": block.header.state_root,
        "txs": len(block.transactions),
        "gas_used": block.header.gas_used,
        "opportunity_ids": list(template.opportunity_ids),
        "left_out": len(template.dropped),
        "block_value_wei": template.block_value_wei,
        "bid_wei": template.bid_wei,
        "proposer_fee_recipient": template.proposer.fee_recipient,
    }


def submit(stage: Stage) -> Outcome:
    """Hand every block to a sandbox relay of our own over HTTP, and one with a forged bid after them."""
    keys = Keyring.test_only(stage.seed)
    submissions = {number: submission_of(template, keys) for number, template in stage.templates.items()}
    number = stage.built_on[0] if stage.built_on else next(iter(submissions))
    best = submissions[number]
    forged = replace(best, message=replace(best.message, value=best.message.value + 1))
    with _relay(stage) as url:
        refused = asyncio.run(_submit_all(stage, url, submissions, forged))
    _store(stage)
    accepted = [report for report in stage.reports.values() if report.accepted]
    (answer,) = stage.receipts[number]
    return Outcome(
        len(accepted) == len(submissions) and not refused.accepted,
        {
            "relay": "sandbox",
            "submitted": len(submissions),
            "accepted": len(accepted),
            "answer": {
                "block": number,
                "bid_wei": best.message.value,
                "status": answer["status"],
                "code": answer["code"],
                "checks": [check["name"] for check in answer["checks"] if check["ok"]],
            },
            "forged_bid": {
                "accepted": refused.accepted,
                "status": refused.attempts[-1].status,
                "message": refused.attempts[-1].message,
            },
        },
    )


@contextmanager
def _relay(stage: Stage) -> Iterator[str]:
    """Serve a sandbox relay on a loopback port for a while."""
    relay = SandboxRelay(
        slots=SlotBook(stage.slots),
        validator=ExecutionValidator(stage.engine),
        key=Keyring.test_only(f"relay {stage.seed}").bls,
        tracing=_tracing(stage, "sandbox-relay"),
    )
    bound = bind(stage.settings.host, stage.settings.relay_port)
    server = server_for(relay)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, name="sandbox relay")
    thread.start()
    try:
        yield url_of(bound)
    finally:
        server.should_exit = True
        thread.join()
        bound.close()
        relay.tracing.close()


def _tracing(stage: Stage, service: str) -> Tracing:
    exporter = JsonLinesExporter(stage.settings.home / TRACES)
    return Tracing(service, [exporter], seed=f"{stage.seed} {service}".encode())


async def _submit_all(
    stage: Stage, url: str, submissions: dict[int, SubmitBlockRequest], forged: SubmitBlockRequest
) -> SubmissionReport:
    """Submit the honest blocks and keep what came of them; return what came of the forged one."""
    tracing = _tracing(stage, "builder")
    try:
        async with RelayClient(RelayEndpoint(url), tracing=tracing) as client:
            for number, submission in submissions.items():
                ids = ["0x" + identity.hex() for identity in stage.templates[number].opportunity_ids]
                with tracing.span("block", number=number, opportunity_ids=ids) as span:
                    stage.reports[number] = await client.submit(submission, parent=span)
                    stage.traces[number] = trace_id_of(span)
                stage.receipts[number] = await client.receipts(submission.message.block_hash)
            return await client.submit(forged)
    finally:
        tracing.close()


def _store(stage: Stage) -> None:
    store = stage.store
    for number, template in stage.templates.items():
        where, report = {"block_number": number}, stage.reports[number]
        store.replace("block_templates", where, template_rows(template, trace_id=stage.traces[number]))
        submitted = submission_rows(report, opportunity_ids=template.opportunity_ids)
        store.replace("relay_submissions", where, submitted)
        store.replace("relay_receipts", where, receipt_rows(report, stage.receipts[number]))
