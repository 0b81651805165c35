"""A backtest for a reader: the JSON of `mev backtest`, and its table."""

from typing import Any

from rich.console import Console
from rich.table import Table

from mev_dagster.backtest.missed import INFEASIBLE
from mev_dagster.backtest.opportunity import Way
from mev_dagster.backtest.score import Backtest, BlockScore
from mev_dagster.backtest.visible import ASSUMED
from mev_dagster.search.report import in_ether

Json = dict[str, Any]


def backtest_to_json(result: Backtest) -> Json:
    """Return the scores and, under `report`, every opportunity behind them."""
    return {
        "per_kind": {
            kind: {
                "tp": score.tp,
                "fp": score.fp,
                "fn": score.fn,
                "precision": score.precision,
                "recall": score.recall,
            }
            for kind, score in result.per_kind.items()
        },
        "pnl_wei": result.pnl_wei,
        "landed_wei": result.landed_wei,
        "captured_wei": result.captured_wei,
        "captured_share": result.captured_share,
        "unpriced": result.unpriced,
        "feasible": {
            "landed": result.feasible.tp + result.feasible.fn,
            "found": result.feasible.tp,
            "recall": result.feasible.recall,
        },
        "missed_by": dict(result.missed_by),
        "arrival_times": "synthetic" if result.synthetic else "observed",
        **({"assumed": ASSUMED} if result.synthetic else {}),
        "report": [_block(block) for block in result.blocks if block.matches or block.untaken],
        "candidates": [
            {"block": block.number, **_candidate(candidate), "verified": candidate.verified}
            for block in result.blocks
            for candidate in block.candidates
        ],
    }


def _block(block: BlockScore) -> Json:
    return {
        "number": block.number,
        "pnl_wei": block.pnl_wei,
        "landed": [
            {
                "kind": str(match.landed.kind),
                "tx_hashes": list(match.landed.tx_hashes),
                "victims": sorted(match.landed.victims),
                "pools": sorted(match.landed.pools),
                "worth_wei": match.landed.worth_wei,
                "found": _candidate(match.way) if match.way else None,
                "missed": match.missed,
                "detail": match.detail,
                "feasible": match.feasible,
            }
            for match in block.matches
        ],
        "untaken": [{**_candidate(one.best), "ways": len(one.ways)} for one in block.untaken],
    }


def _candidate(candidate: Way) -> Json:
    return {
        "kind": str(candidate.kind),
        "opportunity_id": candidate.opportunity_id,
        "rank": candidate.rank,
        "expected_profit_wei": candidate.expected_profit_wei,
        "simulated_profit_wei": candidate.simulated_profit_wei,
    }


def print_backtest(console: Console, result: Backtest) -> None:
    """Print the scores by kind, then the sums."""
    table = Table(box=None, padding=(0, 2))
    for title in (
        "kind",
        "landed and found",
        "found, not landed",
        "landed, not found",
        "precision",
        "recall",
    ):
        table.add_column(title, justify="left" if title == "kind" else "right")
    for kind, score in result.per_kind.items():
        shares = ("" if share is None else f"{share:.3f}" for share in (score.precision, score.recall))
        table.add_row(str(kind), str(score.tp), str(score.fp), str(score.fn), *shares)
    console.print(table)
    for reason, count in result.missed_by.items():
        console.print(f"  {count} missed: {reason}{' (infeasible)' if reason in INFEASIBLE else ''}")
    share = "" if result.captured_share is None else f" ({result.captured_share:.1%} of it found)"
    if result.unpriced:
        share += f", {result.unpriced} landed without a worth in ether"
    console.print(
        f"{len(result.blocks)} blocks: {in_ether(result.pnl_wei)} ETH found after gas, "
        f"{in_ether(result.landed_wei)} ETH landed before gas{share}"
        f"{'; arrival times are synthetic' if result.synthetic else ''}"
    )


def print_explained(console: Console, found: Json) -> None:
    """Print what became of one label, and what came near it."""
    console.print(f"\n{found['kind']} in block {found['block']}, worth {_worth(found['worth_wei'])}")
    for name in ("tx_hashes", "victims", "pools"):
        console.print(f"  {name}: {' '.join(found[name]) or 'none'}", soft_wrap=True)
    verdict = "found" if found["found"] else f"missed: {found['missed']}"
    console.print(
        f"  {verdict}{'' if found['feasible'] else ' (infeasible)'} {found['detail']}", soft_wrap=True
    )
    for one in found["near"]:
        said = "verified" if one["verified"] else one["reason"]
        worth = in_ether(one["expected_profit_wei"])
        console.print(f"  near: {one['kind']} {one['opportunity_id'][:10]} {worth} ETH {said}")


def _worth(wei: int | None) -> str:
    return "no ether" if wei is None else f"{in_ether(wei)} ETH"


def print_compared(console: Console, found: Json) -> None:
    """Print what changed since another run."""
    console.print(
        f"\nagainst the other run: {found['same']} candidates the same, {len(found['added'])} new, "
        f"{len(found['removed'])} gone, {len(found['changed'])} changed"
    )
    for label in found["labels"]:
        console.print(f"  block {label['block']} {label['kind']}: {label['before']} → {label['now']}")
