"""What could have been earned, from the log alone: candidates of every block, executed and ranked."""

import hashlib
from collections import Counter
from typing import Any

from mev_dagster.demo.stage import Stage, StepOutcome
from mev_dagster.events.reader import EventLogReader
from mev_dagster.features.rows import tx_feature_columns
from mev_dagster.search.from_log import log_inputs
from mev_dagster.search.rank import Candidate
from mev_dagster.search.rows import (
    opportunity_columns,
    pool_columns,
    pool_state_columns,
    simulation_columns,
)
from mev_dagster.search.run import SearchResult, search_block
from mev_dagster.units import NS_PER_SECOND


def search(stage: Stage) -> StepOutcome:
    """Search every block and keep what was found in the store."""
    reader = EventLogReader(stage.settings.events_dir)
    for number in stage.capture.numbers:
        block_hash = stage.capture.block(number).hash
        inputs = log_inputs(reader.read(), number, block_hash, source=stage.capture, engine=stage.engine)
        result = search_block(inputs, stage.engine, budget=stage.settings.search.budget)
        stage.inputs[number], stage.searches[number] = inputs, result
        _store(stage, result)
    results = stage.searches.values()
    found = [candidate for result in results for candidate in result.candidates]
    verified = [candidate for candidate in found if candidate.verified]
    digest = hashlib.sha256(b"".join(result.rank_digest for result in results))
    return StepOutcome(
        bool(verified),
        {
            "blocks": len(results),
            "pools": len(next(iter(results)).discovery.pools),
            "pending_executed": sum(len(result.runs) for result in results),
            "plans": sum(result.proposed for result in results),
            "below_gas": sum(result.pruned for result in results),
            "candidates": len(found),
            "verified": len(verified),
            "verified_by_kind": dict(sorted(Counter(str(one.kind) for one in verified).items())),
            "best": [_best(result) for result in results if _verified(result)],
            "rank_digest": digest.digest(),
        },
    )


def _store(stage: Stage, result: SearchResult) -> None:
    """Write what the Dagster assets of the block would write."""
    where, store = {"block_number": result.env.number}, stage.store
    time_ns = result.env.timestamp * NS_PER_SECOND
    store.replace("tx_features", where, tx_feature_columns(result.env.number, time_ns, result.features))
    store.replace("simulations", where, simulation_columns(result))
    store.replace("opportunities", where, opportunity_columns(result))
    store.insert_new("pools", pool_columns(result), key="pool")
    store.replace("pool_states", where, pool_state_columns(result))


def _verified(result: SearchResult) -> list[Candidate]:
    return [candidate for candidate in result.candidates if candidate.verified]


def _best(result: SearchResult) -> dict[str, Any]:
    best = _verified(result)[0]
    return {
        "block": result.env.number,
        "opportunity_id": best.opportunity_id,
        "kind": str(best.kind),
        "pools": list(best.plan.venues),
        "size_wei": best.plan.size_wei,
        "expected_profit_wei": best.expected_profit_wei,
        "simulated_profit_wei": best.simulated_profit_wei,
        "candidates": len(result.candidates),
    }
