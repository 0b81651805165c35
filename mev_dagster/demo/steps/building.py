"""From candidates to blocks, and the blocks to a relay: sealed, bid for, submitted dry over HTTP."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from mev_dagster.demo.stage import Stage, StepOutcome
from mev_dagster.pbs.client.deadline import submission_deadline_ns
from mev_dagster.pbs.client.relay import RelayClient
from mev_dagster.pbs.client.report import SubmissionReport
from mev_dagster.pbs.client.transport import RelayEndpoint
from mev_dagster.pbs.dry_run import DryRun, dry_run
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.rows import receipt_rows, submission_rows, template_rows
from mev_dagster.pbs.sandbox.serve import SandboxOptions, bind, open_relay, server_for, url_of
from mev_dagster.pbs.template import submission_of
from mev_dagster.telemetry.tracing import JsonLinesExporter, Tracing

RELAY_TRACES = "relay.jsonl"
BUILDER_TRACES = "builder.jsonl"


def build_and_submit(stage: Stage) -> StepOutcome:
    """Build a block for every slot, hand each to a sandbox relay of our own, and one forgery after them."""
    keys = Keyring.test_only(stage.seed)
    with _relay(stage) as url:
        asyncio.run(_run_all(stage, keys, url))
        chosen = stage.built_on
        if chosen is None:
            return StepOutcome(
                False, {"error": "nothing_built", "detail": "no candidate made it into a block"}
            )
        refused = asyncio.run(_forge(stage, stage.runs[chosen[0]], keys, url))
    for number, run in stage.runs.items():
        _store(stage, number, run)
    runs, best = list(stage.runs.values()), stage.runs[chosen[0]]
    known = sum(run.template.sealed.state_root_known for run in runs)
    accepted = sum(run.accepted for run in runs)
    return StepOutcome(
        len(runs) == known == accepted == len(stage.searches) and not refused.accepted,
        {
            "blocks": len(runs),
            "txs": sum(len(run.template.sealed.block.transactions) for run in runs),
            "candidates_included": sum(len(run.template.opportunity_ids) for run in runs),
            "state_roots_known": known,
            "bids_wei": sum(run.template.bid_wei for run in runs),
            "relay": "sandbox",
            "accepted": accepted,
            "best": _described(best),
            "answer": _answer(best),
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


async def _run_all(stage: Stage, keys: Keyring, url: str) -> None:
    exporter = JsonLinesExporter(stage.traces_dir / BUILDER_TRACES)
    tracing = Tracing("builder", [exporter], seed=stage.seed.encode())
    try:
        async with RelayClient(RelayEndpoint(url), tracing=tracing) as client:
            for number, result in stage.searches.items():
                stage.runs[number] = await dry_run(
                    stage.inputs[number],
                    result,
                    stage.capture.block(number),
                    client=client,
                    engine=stage.engine,
                    keys=keys,
                    tracing=tracing,
                    deadline_ms=stage.settings.relay.deadline_ms,
                    superseded=lambda: False,
                )
    finally:
        tracing.close()


async def _forge(stage: Stage, run: DryRun, keys: Keyring, url: str) -> SubmissionReport:
    """Submit a block that was accepted once more, its bid raised by a wei behind the signature's back."""
    honest = submission_of(run.template, keys)
    forged = replace(honest, message=replace(honest.message, value=honest.message.value + 1))
    async with RelayClient(RelayEndpoint(url)) as client:
        deadline_ns = submission_deadline_ns(client.clock, bound_ms=stage.settings.relay.deadline_ms)
        return await client.submit(forged, deadline_ns=deadline_ns, superseded=lambda: False)


def _store(stage: Stage, number: int, run: DryRun) -> None:
    """Write what the Dagster assets of the block would write."""
    store, where = stage.store, {"block_number": number}
    store.replace("block_templates", where, template_rows(run.template, trace_id=run.trace_id))
    if run.report is not None:
        submitted = submission_rows(run.report, opportunity_ids=run.template.opportunity_ids)
        store.replace("relay_submissions", where, submitted)
        store.replace("relay_receipts", where, receipt_rows(run.report, run.receipts))


def _described(run: DryRun) -> dict[str, Any]:
    template, block = run.template, run.template.sealed.block
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


def _answer(run: DryRun) -> dict[str, Any]:
    if not run.receipts:
        return {"status": 0, "code": "no_receipt", "checks": []}
    last = run.receipts[-1]
    return {
        "status": last["status"],
        "code": last["code"],
        "checks": [check["name"] for check in last["checks"] if check["ok"]],
    }
