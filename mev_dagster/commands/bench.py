"""`mev bench [NAME...]`: ours, the peer and the limit in one run; budgets are ratios."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from mev_dagster.bench.harness import Options, Result
from mev_dagster.bench.report import figure, provenance, section, write_sections
from mev_dagster.commands.output import err, out, print_json
from mev_dagster.errors import InputError
from mev_dagster.telemetry.clock import SystemClock

app = typer.Typer(add_completion=False)

# name -> module whose run(options) yields results
BENCHES = {
    "decode": "mev_dagster.bench.decode",
    "day": "mev_dagster.bench.day",
    "devp2p": "mev_dagster.bench.devp2p",
    "evm": "mev_dagster.bench.evm",
    "native": "mev_dagster.bench.revm_peer",
    "log": "mev_dagster.bench.log",
    "store": "mev_dagster.bench.store",
    "replay": "mev_dagster.bench.replay",
    "rpc": "mev_dagster.bench.rpc",
    "ssz": "mev_dagster.bench.ssz",
    "pbs": "mev_dagster.bench.pbs",
    "curves": "mev_dagster.bench.curves",
    "dagster": "mev_dagster.bench.dagster_runs",
    "growth": "mev_dagster.bench.growth",
}

# runs for minutes, so only when it is named
LONG = ("day", "growth")


def available() -> list[str]:
    """Return the benchmarks that this installation has, in running order."""
    return [name for name, module in BENCHES.items() if find_spec(module) is not None]


@app.command()
def bench(
    names: Annotated[
        list[str] | None, typer.Argument(help="which to run; all but `day` and `growth` when none is named")
    ] = None,
    check_budget: Annotated[
        bool, typer.Option("--check-budget", help="end with 1 when a budget is missed")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="a tenth of the work, for a look")] = False,
    report: Annotated[
        Path | None, typer.Option("--report", help="page to keep the figures in, a section a benchmark")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False,
) -> None:
    """Measure, print every figure beside its peer and its limit, and hold ratios against their budgets."""
    chosen = names or [name for name in available() if name not in LONG]
    for name in chosen:
        if name not in available():
            raise InputError(f"no benchmark '{name}'; there are {', '.join(available())}")
    results: list[Result] = []
    with err.status("starting", spinner="dots") as status:
        for name in chosen:
            options = Options(quick=quick, step=lambda text, name=name: status.update(f"{name}: {text}"))  # type: ignore[misc]
            measured = list(import_module(BENCHES[name]).run(options))
            results.extend(measured)
            if report is not None:
                command = f"mev bench {name}{' --quick' if quick else ''}"
                origin = provenance(command, SystemClock(), page=report)
                write_sections(report, {name: section(name, measured, origin)})
    missed = [result.name for result in results if result.ok is False]
    if as_json:
        print_json({"results": [result.as_json() for result in results], "ok": not missed})
    else:
        _print_table(results)
    if check_budget and missed:
        raise typer.Exit(1)


def _print_table(results: list[Result]) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("", "value", "peer", "limit", ""):
        table.add_column(title, justify="right" if title else "left", no_wrap=True)
    marks = {True: "[green]ok[/]", False: "[red]missed[/]", None: "[yellow]not judged[/]"}
    for row in results:
        table.add_row(
            f"[bold]{row.name}[/]",
            f"{figure(row.value)} {row.unit}",
            _beside(row.peer_value, row.ratio_to_peer),
            _beside(row.limit_value, row.ratio_to_limit),
            marks[row.ok] if row.budget else "",
        )
    out.print(table)
    for row in results:
        budget = f"budget {row.budget}" if row.budget else ""
        peer = f"peer: {row.peer}" if row.peer else ""
        explanation = "; ".join(part for part in (budget, peer, row.note) if part)
        if explanation:
            out.print(f"[dim]{row.name}: {explanation}[/]")


def _beside(value: float | None, ratio: float | None) -> str:
    if value is None:
        return ""
    return figure(value) if ratio is None else f"{figure(value)} ({ratio:.3g}x)"
