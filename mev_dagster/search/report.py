"""A search's findings for a reader: one JSON object per block, or one table."""

from typing import Any

from rich.console import Console
from rich.table import Table

from mev_dagster.search.rank import to_json
from mev_dagster.search.run import SearchResult
from mev_dagster.units import ETHER

_SHOWN = 12


def block_to_json(result: SearchResult) -> dict[str, Any]:
    """Return what one block gave, its candidates best first."""
    return {
        "number": result.env.number,
        "engine": result.engine,
        "pending": len(result.features),
        "executed": len(result.runs),
        "pairs": len(result.discovery.pools),
        "pairs_unreadable": len(result.discovery.unreadable),
        "searcher_injected": result.searcher.injected if result.searcher else None,
        "proposed": result.proposed,
        "pruned": result.pruned,
        "pruned_by": result.pruned_by,
        "left_out": [str(failure) for failure in result.left_out],
        "verified": sum(candidate.verified for candidate in result.candidates),
        "total_profit_wei": result.total_profit_wei,
        "rank_digest": result.rank_digest,
        "candidates": [{"block": result.env.number, **to_json(candidate)} for candidate in result.candidates],
    }


def print_block(console: Console, result: SearchResult) -> None:
    """Print one block's best candidates."""
    console.print(
        f"[bold]block {result.env.number}[/]: {len(result.features)} pending, {len(result.runs)} tried out, "
        f"{len(result.discovery.pools)} pairs, {result.proposed} plans{_pruned(result)}"
    )
    if not result.candidates:
        return
    table = Table(box=None, padding=(0, 1))
    for title in ("rank", "kind", "id", "size ETH", "before gas", "after gas", ""):
        right = title in {"rank", "size ETH", "before gas", "after gas"}
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    for candidate in result.candidates[:_SHOWN]:
        simulated = candidate.simulated_profit_wei
        table.add_row(
            str(candidate.rank),
            str(candidate.kind),
            candidate.opportunity_id.hex()[:8],
            in_ether(candidate.plan.size_wei),
            in_ether(candidate.expected_profit_wei),
            "" if simulated is None else in_ether(simulated),
            "[green]verified[/]" if candidate.verified else f"[yellow]{candidate.reason}[/]",
        )
    console.print(table)
    console.print(f"  together {in_ether(result.total_profit_wei)} ETH after gas")
    if len(result.candidates) > _SHOWN:
        console.print(f"  and {len(result.candidates) - _SHOWN} more")


def _pruned(result: SearchResult) -> str:
    return "".join(f", {count} {reason}" for reason, count in result.pruned_by.items())


def in_ether(wei: int) -> str:
    """Return an amount with six decimals, rounded toward zero, without leaving the integers."""
    whole, rest = divmod(abs(wei), ETHER)
    return f"{'-' if wei < 0 else ''}{whole}.{rest // 10**12:06d}"
