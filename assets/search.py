"""Search: ranked candidates of a block, each verified by executing it."""

import time
from collections import Counter
from importlib import resources as package_files
from typing import Any

import dagster as dg

from assets.links import links
from assets.per_block import RunOrder, block_asset
from assets.plots import bars
from assets.simulation import simulations
from assets.tables import ether, preview
from mev_dagster.hexadecimal import to_hex
from mev_dagster.search.rank import to_json
from mev_dagster.search.recheck import RecheckedSearch
from mev_dagster.search.rows import (
    ALONE,
    opportunity_columns,
    pool_columns,
    pool_state_columns,
    simulation_columns,
)
from mev_dagster.store.sql import Not
from mev_dagster.units import NS_PER_MS, NS_PER_SECOND
from resources.block_search import BlockSearch

LIVE_TIMING_SQL = (package_files.files("assets") / "live_timing.sql").read_text()

SHOWN = (
    "rank",
    "kind",
    "opportunity_id",
    "expected_profit_wei",
    "simulated_profit_wei",
    "verified",
    "reason",
)


@block_asset(
    "search",
    table="opportunities",
    team="search",
    order=RunOrder.TO_OPPORTUNITIES,
    deps=[simulations],
    checks=[
        dg.AssetCheckSpec(
            "verified_profit_is_executed",
            asset="opportunities",
            blocking=True,
            description="Every candidate called verified was executed with a profit after gas.",
        ),
        dg.AssetCheckSpec(
            "engine_agrees_with_reference",
            asset="opportunities",
            description="The best candidate and a sample of all executions came out the same on py_evm.",
        ),
    ],
)
def opportunities(block: BlockSearch) -> dg.MaterializeResult:
    """Ranked sandwich, backrun and arbitrage candidates of the block, verified by execution."""
    checked, number = block.rechecked, block.number
    result = checked.result
    store_candidates(block)
    # Beside the pending transactions' rows, which `simulations` has written.
    of_candidates = {"block_number": number, "opportunity_id": Not(ALONE)}
    block.replace("simulations", of_candidates, simulation_columns(result, pending=False))
    block.insert_new("pools", pool_columns(result), key="pool")
    block.replace("pool_states", {"block_number": number}, pool_state_columns(result))
    verified = [candidate for candidate in result.candidates if candidate.verified]
    best = max((candidate.simulated_profit_wei or 0 for candidate in verified), default=0)
    seen_ns, finished_ns, live = timing(block)
    block.replace(
        "block_runs",
        {"block_number": number},
        {
            "block_hash": [block.block.hash],
            "block_time": [result.env.timestamp * NS_PER_SECOND],
            "seen_at": [seen_ns],
            "finished_at": [finished_ns],
            "engine": [result.engine],
            "pending_txs": [len(result.features)],
            "candidates": [len(result.candidates)],
            "verified": [len(verified)],
            "rechecked": [checked.checked],
            "mismatches": [len(checked.mismatches)],
            "rank_digest": [result.rank_digest],
            "live": [live],
            "run_id": [block.run_id],
        },
    )
    unexecuted = [c for c in verified if c.simulated_profit_wei is None or c.simulated_profit_wei <= 0]
    kinds = Counter(str(candidate.kind) for candidate in verified)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(result.candidates),
            "verified": len(verified),
            **{f"verified_{kind}": count for kind, count in sorted(kinds.items())},
            "best_profit_eth": ether(best),
            "total_profit_eth": ether(sum(c.simulated_profit_wei or 0 for c in verified)),
            "proposed": result.proposed,
            "pruned": result.pruned,
            "rechecked": checked.checked,
            "recheck_ms": block.recheck_ms,
            "lag_ms": (finished_ns - seen_ns) // NS_PER_MS,
            **links(block),
            "rank_digest": to_hex(result.rank_digest),
            "profits": bars(
                "profit after gas by rank (ETH); unverified in orange",
                [ether(c.simulated_profit_wei or c.expected_profit_wei) for c in result.candidates],
                marked=[not c.verified for c in result.candidates],
            ),
            "ranking": preview((to_json(candidate) for candidate in result.candidates), SHOWN),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="verified_profit_is_executed",
                passed=not unexecuted,
                metadata={"verified": len(verified), "without_profit": len(unexecuted)},
            ),
            agreement("engine_agrees_with_reference", checked),
        ],
    )


def timing(block: BlockSearch) -> tuple[int, int, bool]:
    """Return when the head was seen, when its opportunities were stored, and whether a live run did that.

    A later run of history over the same block leaves the live run's figures as they are: they tell how long
    the head waited, and that does not change.
    """
    if not block.live:
        parameters = {"number": block.number, "hash": block.span.block_hash.hex()}
        found = block.store.rows(LIVE_TIMING_SQL, parameters)
        if found:
            return int(found[0][0]), int(found[0][1]), True
    return block.arrived_ns, time.time_ns(), block.live


def store_candidates(block: BlockSearch) -> None:
    """Make the block's rows be the candidates as they stand."""
    result = block.result
    traced = {"trace_id": [block.trace_id] * len(result.candidates)}
    block.replace("opportunities", {"block_number": block.number}, {**opportunity_columns(result), **traced})


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
    return dg.AssetCheckResult(check_name=check_name, passed=not checked.mismatches, metadata=said)
