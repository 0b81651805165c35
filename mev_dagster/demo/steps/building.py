"""From candidates to blocks, and the blocks to a relay: sealed, bid for, submitted dry over HTTP."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from mev_dagster.blockrun import steps
from mev_dagster.blockrun.handing_over import HandedOver
from mev_dagster.demo.stage import Stage, StepOutcome
from mev_dagster.pbs.client.deadline import submission_deadline_ns
from mev_dagster.pbs.client.relay import RelayClient
from mev_dagster.pbs.client.report import SubmissionReport
from mev_dagster.pbs.client.transport import RelayEndpoint
from mev_dagster.pbs.sandbox.serve import SandboxOptions, bind, open_relay, server_for, url_of
from mev_dagster.pbs.template import BlockTemplate, submission_of
from mev_dagster.telemetry.tracing import JsonLinesExporter, Tracing

RELAY_TRACES = "relay.jsonl"
BUILDER_TRACES = "builder.jsonl"


def build_and_submit(stage: Stage) -> StepOutcome:
    """Build a block for every slot, hand each to a sandbox relay of our own, and one forgery after them."""
    with _relay(stage) as url:
        asyncio.run(_run_all(stage, url))
        chosen = stage.built_on
        if chosen is None:
            return StepOutcome(
                False, {"error": "nothing_built", "detail": "no candidate made it into a block"}
            )
        refused = asyncio.run(_forge(stage, chosen[0], url))
    templates, best = list(stage.templates.values()), stage.templates[chosen[0]]
    known = sum(template.sealed.state_root_known for template in templates)
    accepted = sum(submission.report.accepted for submission in stage.submissions.values())
    return StepOutcome(
        len(templates) == known == accepted == len(stage.blocks) and not refused.accepted,
        {
            "blocks": len(templates),
            "txs": sum(len(template.sealed.block.transactions) for template in templates),
            "candidates_included": sum(len(template.opportunity_ids) for template in templates),
            "state_roots_known": known,
            "bids_wei": sum(template.bid_wei for template in templates),
            "relay": "sandbox",
            "accepted": accepted,
            "best": _described(best),
            "answer": _answer(stage.submissions.get(chosen[0])),
            "forged_bid": {
                "accepted": refused.accepted,
                "status": refused.attempts[-1].status,
                "message": refused.attempts[-1].message,
            },
        },
    )


@contextmanager
def _relay(stage: Stage) -> Iterator[str]:
    """Serve a sandbox relay that judges on the capture, on a loopback port, for a while."""
    traces = stage.traces_dir / RELAY_TRACES
    relay = open_relay(SandboxOptions(capture=stage.capture.path, seed=stage.seed, traces=traces))
    bound = bind(stage.settings.host, stage.settings.relay.port)
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


async def _run_all(stage: Stage, url: str) -> None:
    exporter = JsonLinesExporter(stage.traces_dir / BUILDER_TRACES)
    tracing = Tracing("builder", [exporter], seed=stage.seed.encode())
    try:
        async with RelayClient(RelayEndpoint(url), tracing=tracing) as client:
            for number, run in stage.blocks.items():
                run.tracing = tracing
                run.begin_trace()
                (offered,) = await steps.build_offers(run, (client,))
                stage.templates[number] = offered.template
                submitted = await steps.submit_stored(run, (client,))
                for handed_over in submitted.handed_over:
                    stage.submissions[number] = handed_over
    finally:
        tracing.close()


async def _forge(stage: Stage, number: int, url: str) -> SubmissionReport:
    """Submit a block that was accepted once more, its bid raised by a wei behind the signature's back."""
    honest = submission_of(stage.templates[number], stage.blocks[number].keys)
    forged = replace(honest, message=replace(honest.message, value=honest.message.value + 1))
    async with RelayClient(RelayEndpoint(url)) as client:
        deadline_ns = submission_deadline_ns(client.clock, bound_ms=stage.settings.relay.deadline_ms)
        return await client.submit(forged, deadline_ns=deadline_ns, superseded=lambda: False)


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


def _answer(submission: HandedOver | None) -> dict[str, Any]:
    if submission is None or not submission.receipts:
        return {"status": 0, "code": "no_receipt", "checks": []}
    last = submission.receipts[-1]
    return {
        "status": last["status"],
        "code": last["code"],
        "checks": [check["name"] for check in last["checks"] if check["ok"]],
    }
