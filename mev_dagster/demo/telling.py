"""The story for people: one paragraph a step, made of the step's figures alone."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from mev_dagster.demo.story import StoryStep
from mev_dagster.hexadecimal import to_hex
from mev_dagster.units import ETHER

SHOWN_OPPORTUNITIES = 6
Figures = Mapping[str, Any]

TITLES = {
    "capture": "A recorded piece of chain and mempool",
    "peers": "The same mempool from a devp2p peer",
    "ingest": "Through the daemon into the event log and the store",
    "parity": "Every block executed again",
    "search": "What could have been earned",
    "build": "Blocks built from it, and submitted dry to a relay of our own",
    "label": "What really landed",
    "backtest": "What we found against what landed",
    "trace": "One decision, all the way",
}


def tell_step(console: Console, step: StoryStep) -> None:
    """Print one step."""
    mark = "[bold green]✔[/]" if step.ok else "[bold red]✘[/]"
    console.print(f"{mark} [bold]{TITLES[step.name]}[/] [dim]{step.name}, {step.seconds:.1f} s[/]")
    if "error" in step.figures:
        console.print(Padding(f"[red]{step.figures['error']}[/]: {step.figures['detail']}", (0, 0, 1, 2)))
        return
    for part in _PARAGRAPHS[step.name](step.figures):
        console.print(Padding(part, (0, 0, 0, 2)))
    console.print()


def tell_end(console: Console, steps: list[StoryStep], capture: Path) -> None:
    """Print how it ended and where to go on."""
    seconds = sum(step.seconds for step in steps)
    if not all(step.ok for step in steps):
        console.print(f"[bold red]{steps[-1].name} does not hold[/], after {seconds:.0f} s.")
        return
    console.print(f"[bold green]All {len(steps)} steps hold[/], in {seconds:.0f} s. Where to go on:")
    shown = os.path.relpath(capture)
    for command, what in (
        (f"mev search {shown}", "every candidate of every block, ranked"),
        (f"mev backtest {shown}", "what landed, what was found, what was missed"),
        (f"mev label {shown}", "the MEV that landed, with its evidence"),
        ("mev up --rpc ws://127.0.0.1:8545", "the same on your own node, live, with Dagster's UI"),
    ):
        console.print(f"  [bold cyan]{command}[/]\n      {what}")


def _capture(f: Figures) -> list[Any]:
    return [
        f"Blocks {f['first_block']} to {f['last_block']} of our devnet: {f['txs']} transactions, "
        f"{f['events']} events, {f['bytes'] // 1000} kB ({f['recorded_with']}). "
        f"Arrival times are [bold]{f['arrival_times']}[/].",
        "Every digest, transactions root, receipts root and sender in it was checked.",
    ]


def _peers(f: Figures) -> list[Any]:
    lanes = " and ".join(f"{count} by {lane}" for lane, count in f["seen_by_lane"].items())
    return [
        f"A peer of ours ({f['client']}, eth/{f['eth_version']}) announced {f['announced']} pending "
        f"transactions over encrypted RLPx on loopback; the daemon asked for them and got "
        f"[bold]{f['fetched']} of {f['announced']}[/], hashes checked.",
        f"The capture's own lane ran beside it, into a log and a store of their own: sightings {lanes}, "
        f"{f['bodies']} bodies, each once.",
    ]


def _ingest(f: Figures) -> list[Any]:
    types = ", ".join(f"{count} of type {kind}" for kind, count in f["types"].items())
    return [
        f"[bold]{f['seen']} pending transactions[/] were seen ({types}); {f['replaced']} were replaced, "
        f"{f['never_landed']} never landed.",
        f"{f['events']} events lie in a hash-chained log of {f['segments']} sealed segment"
        f"{'' if f['segments'] == 1 else 's'}, and as rows in the store: "
        + ", ".join(f"{count} {table}" for table, count in f["rows"].items() if count)
        + ".",
    ]


def _parity(f: Figures) -> list[Any]:
    return [
        f"{f['engine']} executed {f['txs']} transactions, {f['gas_used'] / 1e6:.1f} M gas, by the rules of "
        f"{f['fork']}: {f['gas_mismatches']} gas, {f['status_mismatches']} status and "
        f"{f['log_mismatches']} log mismatches.",
        f"[bold]{f['receipts_root_matches']} of {f['blocks']} receipts roots and "
        f"{f['state_root_matches']} of {f['blocks']} state roots[/] are those of the headers.",
    ]


def _search(f: Figures) -> list[Any]:
    kinds = ", ".join(f"{count} {kind}" for kind, count in f["verified_by_kind"].items())
    best = sorted(f["best"], key=lambda one: -one["simulated_profit_wei"])
    table = Table(box=None, padding=(0, 2))
    for title in ("block", "kind", "opportunity", "size ETH", "expected ETH", "executed ETH"):
        table.add_column(title, justify="left" if title in {"kind", "opportunity"} else "right")
    for one in best[:SHOWN_OPPORTUNITIES]:
        table.add_row(
            str(one["block"]),
            one["kind"],
            _short(one["opportunity_id"]),
            _ether(one["size_wei"]),
            _ether(one["expected_profit_wei"]),
            f"[bold]{_ether(one['simulated_profit_wei'])}[/]",
        )
    return [
        f"{f['pending_executed']} pending calls tried out in {f['pools']} pools gave {f['plans']} plans; "
        f"{f['below_gas']} could not have paid for gas. Of {f['candidates']} candidates "
        f"[bold]{f['verified']} earn when executed[/], gas paid ({kinds}). The best blocks:",
        table,
        f"The ranking's digest is {_short(f['rank_digest'])}: the same on every run.",
    ]


def _build(f: Figures) -> list[Any]:
    best, answer, forged = f["best"], f["answer"], f["forged_bid"]
    return [
        f"{f['blocks']} blocks sealed, every state root known: {f['txs']} transactions, "
        f"{f['candidates_included']} of our candidates, {_ether(f['bids_wei'])} ETH bid in all. "
        f"Submitted over HTTP: [bold]{f['accepted']} of {f['blocks']} accepted[/].",
        f"Block {best['block']}, [bold]{_short(best['block_hash'])}[/]: {best['txs']} transactions, "
        f"{best['gas_used'] / 1e6:.2f} M gas, {len(best['opportunity_ids'])} of our candidates; worth "
        f"{_ether(best['block_value_wei'])} ETH to its builder, bids {_ether(best['bid_wei'])} ETH.",
        f"The relay's answer: {answer['status']} {answer['code']} after {len(answer['checks'])} checks, "
        "execution among them: " + ", ".join(dict.fromkeys(answer["checks"])) + ".",
        f"The same block with a wei more in its bid: {forged['status']} {forged['message']}.",
    ]


def _label(f: Figures) -> list[Any]:
    return [
        f"From receipts alone, {f['swaps']} swaps: [bold]{f['arbitrages']} arbitrages and {f['sandwiches']} "
        f"sandwiches[/] of {f['victims']} victims, taken by {f['takers']} bots. They kept "
        f"{_ether(f['net_wei'])} ETH and paid {_ether(f['paid_to_builder_wei'])} ETH to the builder.",
    ]


def _backtest(f: Figures) -> list[Any]:
    table = Table(box=None, padding=(0, 2))
    for title in ("kind", "landed and found", "landed, missed", "found, not taken", "recall"):
        table.add_column(title, justify="left" if title == "kind" else "right")
    for kind, score in f["per_kind"].items():
        recall = "" if score["recall"] is None else f"{score['recall']:.0%}"
        table.add_row(kind, str(score["tp"]), str(score["fn"]), str(score["fp"]), recall)
    return [
        table,
        f"What landed was worth {_ether(f['landed_wei'])} ETH before gas; we had found "
        f"[bold]{_ether(f['captured_wei'])} ETH[/] of it beforehand. All we found, less what competes with "
        f"itself, would have earned {_ether(f['pnl_wei'])} ETH.",
    ]


def _trace(f: Figures) -> list[Any]:
    rows = " → ".join(f"{table} {count}" for table, count in f["rows"].items())
    return [
        f"The {f['kind']} {_short(f['opportunity_id'])} in block {f['block']}: what it answers to was seen "
        f"{f['seen_before_block_ms'] / 1000:.1f} s before the block; it earns "
        f"{_ether(f['simulated_profit_wei'])} ETH.",
        f"Its rows in the store: {rows}.",
        f"Trace [bold]{f['trace_id'].hex()}[/]: {' → '.join(f['spans'])}.",
    ]


_PARAGRAPHS: Mapping[str, Callable[[Figures], list[Any]]] = {
    "capture": _capture,
    "peers": _peers,
    "ingest": _ingest,
    "parity": _parity,
    "search": _search,
    "build": _build,
    "label": _label,
    "backtest": _backtest,
    "trace": _trace,
}


def _ether(wei: int) -> str:
    """Return an amount with four decimals, rounded toward zero."""
    whole, rest = divmod(abs(wei), ETHER)
    return f"{'-' if wei < 0 else ''}{whole}.{rest * 10_000 // ETHER:04d}"


def _short(value: bytes) -> str:
    return f"{to_hex(value)[:12]}…"
