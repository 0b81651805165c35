"""What the search assets show."""

from collections import Counter
from typing import Any

import dagster as dg

from assets.plots import bars
from assets.tables import ether, preview
from assets.verdicts import without_verdict
from mev_dagster.blockrun.steps import FoundOpportunities
from mev_dagster.hexadecimal import to_hex
from mev_dagster.search.rank import to_json
from mev_dagster.search.recheck import RecheckedSearch
from mev_dagster.units import NS_PER_MS

PROFIT_IS_EXECUTED = "verified_profit_is_executed"
ENGINE_AGREES = "engine_agrees_with_reference"
SHOWN = (
    "rank",
    "kind",
    "opportunity_id",
    "expected_profit_wei",
    "simulated_profit_wei",
    "verified",
    "reason",
)


def opportunities(found: FoundOpportunities) -> dict[str, Any]:
    """Return the block's ranking and what it is worth."""
    decision, result = found.decision, found.decision.result
    verified = [candidate for candidate in result.candidates if candidate.verified]
    profits = [candidate.simulated_profit_wei or 0 for candidate in verified]
    kinds = Counter(str(candidate.kind) for candidate in verified)
    return {
        "dagster/row_count": len(result.candidates),
        "verified": len(verified),
        **{f"verified_{kind}": count for kind, count in sorted(kinds.items())},
        "best_profit_eth": ether(max(profits, default=0)),
        "total_profit_eth": ether(result.total_profit_wei),
        "proposed": result.proposed,
        "pruned": result.pruned,
        "rechecked": decision.checked,
        "recheck_ms": decision.recheck_ms,
        "lag_ms": (found.finished_ns - found.seen_ns) // NS_PER_MS,
        "rank_digest": to_hex(result.rank_digest),
        "profits": bars(
            "profit after gas by rank (ETH); unverified in orange",
            [ether(c.simulated_profit_wei or c.expected_profit_wei) for c in result.candidates],
            marked=[not c.verified for c in result.candidates],
        ),
        "ranking": preview((to_json(candidate) for candidate in result.candidates), SHOWN),
    }


def profit_executed(found: FoundOpportunities) -> dg.AssetCheckResult:
    """Say whether every candidate called verified was executed with a profit."""
    verified = [candidate for candidate in found.decision.result.candidates if candidate.verified]
    if not verified:
        return without_verdict(PROFIT_IS_EXECUTED, "no candidate is called verified")
    unexecuted = [c for c in verified if c.simulated_profit_wei is None or c.simulated_profit_wei <= 0]
    return dg.AssetCheckResult(
        check_name=PROFIT_IS_EXECUTED,
        passed=not unexecuted,
        metadata={"verified": len(verified), "without_profit": len(unexecuted)},
    )


def agreement(check_name: str, checked: RecheckedSearch) -> dg.AssetCheckResult:
    """Return what the reference engine said of the executions it was given so far."""
    said: dict[str, Any] = {"checked": checked.checked, "mismatches": len(checked.mismatches)}
    if checked.skipped:
        said = {"skipped": checked.skipped}
    if checked.mismatches:
        first = checked.mismatches[0]
        said["first"] = "; ".join(first.differences)
        if first.artifact is not None:
            said["input"] = dg.MetadataValue.path(first.artifact)
    if not checked.checked and not checked.mismatches:
        return without_verdict(check_name, checked.skipped or "no execution was repeated")
    return dg.AssetCheckResult(check_name=check_name, passed=not checked.mismatches, metadata=said)
