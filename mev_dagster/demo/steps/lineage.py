"""One decision from the mempool to the relay's answer, found again in the store by its ids."""

import json
from collections.abc import Callable
from typing import Any

from mev_dagster.demo.stage import Stage, StepOutcome
from mev_dagster.demo.steps.building import BUILDER_TRACES, RELAY_TRACES
from mev_dagster.telemetry.tracing import trace_id_of
from mev_dagster.units import NS_PER_MS

Row = dict[str, Any]


def trace(stage: Stage) -> StepOutcome:
    """Follow the most profitable candidate of a block through every table it left a row in."""
    chosen = stage.built_on
    if chosen is None:
        return StepOutcome(False, {"error": "no candidate made it into a block"})
    number, candidate = chosen
    identity, run = candidate.opportunity_id, stage.blocks[number]
    trace_id = trace_id_of(run.root)
    pending, hash_of_block = set(candidate.pending_hashes), stage.templates[number].sealed.block.hash

    def rows(table: str, belongs: Callable[[Row], bool]) -> list[Row]:
        frame = stage.store.frame(table, blocks=range(number, number + 1))
        records = frame.to_dict("records")
        return [row for record in records if belongs(row := {str(name): record[name] for name in record})]

    path: dict[str, list[Row]] = {
        "tx_sightings": rows("tx_sightings", lambda row: row["tx_hash"] in pending),
        "transactions": rows("transactions", lambda row: row["tx_hash"] in pending),
        "tx_features": rows("tx_features", lambda row: row["tx_hash"] in pending),
        "simulations": rows("simulations", lambda row: row["opportunity_id"] == identity),
        "opportunities": rows("opportunities", lambda row: row["opportunity_id"] == identity),
        "block_templates": rows("block_templates", lambda row: identity in list(row["opportunity_ids"])),
        "relay_submissions": rows("relay_submissions", lambda row: row["trace_id"] == trace_id),
        "relay_receipts": rows("relay_receipts", lambda row: row["trace_id"] == trace_id),
    }
    closed_ns = run.inputs.at_ns
    first_ns = min(entry.first_seen_ns for entry in run.inputs.pending if entry.tx.hash in pending)
    answer = path["relay_receipts"][0] if path["relay_receipts"] else None
    return StepOutcome(
        all(path.values()) and answer is not None and bool(answer["accepted"]),
        {
            "opportunity_id": identity,
            "trace_id": trace_id,
            "kind": str(candidate.kind),
            "block": number,
            "block_hash": hash_of_block,
            "pending_txs": sorted(pending),
            "seen_before_block_ms": (closed_ns - first_ns) // NS_PER_MS,
            "simulated_profit_wei": candidate.simulated_profit_wei,
            "rank": candidate.rank,
            "rows": {table: len(found) for table, found in path.items()},
            "spans": _spans(stage, trace_id),
            "relay_accepted": answer is not None and bool(answer["accepted"]),
        },
    )


def _spans(stage: Stage, trace_id: bytes) -> list[str]:
    """Return the spans of a trace as `service name`, outermost first."""
    files = [stage.traces_dir / name for name in (BUILDER_TRACES, RELAY_TRACES)]
    spans = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    ours = {span["span_id"]: span for span in spans if span["trace_id"] == trace_id.hex()}

    def depth(span: Row) -> int:
        parent = ours.get(span["parent_span_id"])
        return 0 if parent is None else 1 + depth(parent)

    return [f"{span['service']} {span['name']}" for span in sorted(ours.values(), key=depth)]
