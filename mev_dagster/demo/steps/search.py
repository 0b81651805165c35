"""What could have been earned, from the log alone: candidates of every block, executed and ranked."""

import hashlib
from collections import Counter
from typing import Any

from mev_dagster.blockrun import steps
from mev_dagster.demo.stage import Stage, StepOutcome
from mev_dagster.search.rank import Candidate
from mev_dagster.search.run import SearchResult


def search(stage: Stage) -> StepOutcome:
    """Search every block and keep what was found in the store."""
    for number in stage.capture.numbers:
        run = stage.run_of(number)
        steps.store_features(run)
        steps.simulate_pending(run)
        steps.find_opportunities(run)
    results = [run.decision.result for run in stage.blocks.values()]
    found = [candidate for result in results for candidate in result.candidates]
    verified = [candidate for candidate in found if candidate.verified]
    digest = hashlib.sha256(b"".join(result.rank_digest for result in results))
    return StepOutcome(
        bool(verified),
        {
            "blocks": len(results),
            "pools": len(results[0].discovery.pools),
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
