"""`mev soak`: load over time, and what was lost."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mev_dagster.drills.p2p_soak import Mark, SoakReport
    from mev_dagster.drills.platform_soak import Lags, PlatformSoak

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def soak() -> None:
    """Keep a part of the platform busy for minutes or an hour, and count what was lost."""


@app.command()
def p2p(
    minutes: Annotated[float, typer.Option(min=0.1, help="how long")] = 10,
    rate: Annotated[float, typer.Option(min=0.1, max=500, help="transactions a second")] = 20,
    churn: Annotated[float, typer.Option(min=0, max=240, help="peers that go and come, a minute")] = 6,
    seed: Annotated[int, typer.Option(help="of traffic and churn")] = 1,
    home: Annotated[Path | None, typer.Option(help="keep log, store and the processes' logs here")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False,
) -> None:
    """Three honest devp2p peers that come and go, one adversary, an RPC lane beside them on a real anvil."""
    from dataclasses import asdict

    from mev_dagster.commands import coverage as coverage_command
    from mev_dagster.commands.output import out, print_json
    from mev_dagster.drills.folders import drill_folder
    from mev_dagster.drills.p2p_soak import SoakOptions, soak_p2p
    from mev_dagster.drills.running import run_drill
    from mev_dagster.telemetry.logging import configure

    configure("error")
    options = SoakOptions(minutes, rate, churn, seed)
    with drill_folder(home) as folder:
        report = run_drill(soak_p2p(folder, options, (lambda _: None) if as_json else _tell_mark))
    if as_json:
        coverage = coverage_command.as_json(report.coverage) if report.coverage else None
        print_json({**asdict(report), "coverage": coverage, "ok": report.ok})
    else:
        out.print()
        _tell_report(report)
        if report.coverage:
            coverage_command.print_coverage(out, report.coverage)
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def platform(
    minutes: Annotated[float, typer.Option(min=1, help="how long")] = 30,
    slot_seconds: Annotated[int, typer.Option(min=1, help="seconds between blocks")] = 3,
    backfill: Annotated[
        bool, typer.Option("--backfill-day", help="keep the cold lane full of history in the second half")
    ] = False,
    home: Annotated[Path | None, typer.Option(help="keep the platform's folder and logs here")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False,
) -> None:
    """Every process of the platform behind a live devnet: blocks missed, lag, the UI's answers, memory."""
    from mev_dagster.commands.output import err, out, print_json
    from mev_dagster.drills.folders import drill_folder
    from mev_dagster.drills.platform_soak import soak_platform

    with drill_folder(home) as folder:
        tell = (lambda _: None) if as_json else out.print
        with err.status(f"{minutes:g} minutes of blocks every {slot_seconds} s"):
            report = soak_platform(folder, minutes, slot_seconds, backfill=backfill, tell=tell)
    if as_json:
        print_json(report.as_dict())
    else:
        _tell_platform(report)
    if not report.ok:
        raise typer.Exit(1)


def _tell_platform(report: "PlatformSoak") -> None:
    from rich.table import Table

    from mev_dagster.commands.output import out

    def late(lags: "Lags | None") -> str:
        return f"{lags.blocks} blocks, p50 {lags.p50:.2f} s, p95 {lags.p95:.2f} s" if lags else "no blocks"

    out.print(f"\n{report.blocks} blocks every {report.slot_seconds} s, {len(report.missed)} missed")
    out.print(f"block to opportunities: {late(report.alone)}")
    if report.beside_backfill is not None:
        moved = f", {report.moved:.2f} times the p95 without" if report.moved else ""
        out.print(f"beside history in the cold lane: {late(report.beside_backfill)}{moved}")
    out.print(f"UI: p50 {report.ui_p50_s:.2f} s, p95 {report.ui_p95_s:.2f} s, {report.ui_failures} failed")
    table = Table(box=None, pad_edge=False)
    for title in ("process", "MiB at first", "MiB at last", ""):
        table.add_column(title, justify="right" if "MiB" in title else "left")
    for name, growth in report.memory.items():
        verdict = "flat" if growth.flat else "[red]grew[/]"
        table.add_row(name, f"{growth.start:.0f}", f"{growth.end:.0f}", verdict)
    out.print(table)
    for promise, kept in report.promises.items():
        out.print(f"{'[green]kept[/]' if kept else '[red]missed[/]'}  {promise}")


def _tell_mark(mark: "Mark") -> None:
    from mev_dagster.commands.output import out

    out.print(
        f"minute {mark.minute:6.2f}: {mark.delivered:,} of {mark.announced:,} announced are in the store, "
        f"{mark.churned} times a peer went, daemon {mark.rss_mib:.1f} MiB",
        soft_wrap=True,
    )


def _tell_report(report: "SoakReport") -> None:
    from mev_dagster.commands.output import out

    level = {True: "level", False: "[red]rising[/]", None: "not judged: too short a run"}[report.rss_level]
    slope = "" if report.rss_level is None else f", {report.rss_slope:+.1f} MiB an hour over the second half"
    lag = "unknown" if report.loop_lag_p99_ms is None else f"at most {report.loop_lag_p99_ms:g} ms"
    verdict = "[bold green]nothing lost[/]" if report.ok else f"[bold red]{report.lost} lost[/]"
    out.print(
        f"{verdict}: {report.delivered:,} of {report.announced:,} transactions that honest peers announced "
        f"were delivered, {report.peers_only_delivered:,} of {report.peers_only:,} that only peers had",
        soft_wrap=True,
    )
    out.print(f"{report.events:,} events logged; peers went and came {report.churned} times")
    out.print(f"memory {level}{slope}")
    out.print(f"loop lag p99 {lag}; the daemon ended with status {report.daemon_exit}")
    for title, counts in (
        ("dropped before the log", report.dropped),
        ("conversations ended", report.disconnects),
        ("violations", report.violations),
    ):
        shown = ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"
        out.print(f"{title}: {shown}", soft_wrap=True)
