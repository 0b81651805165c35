"""`mev soak`: load over time, and what was lost."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mev_dagster.drills.p2p_soak import Mark, SoakReport

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
    import asyncio
    from dataclasses import asdict

    from mev_dagster.commands import coverage as coverage_command
    from mev_dagster.commands.output import out, print_json
    from mev_dagster.drills.folders import drill_folder
    from mev_dagster.drills.p2p_soak import SoakOptions, soak_p2p
    from mev_dagster.telemetry.logging import configure

    configure("error")
    options = SoakOptions(minutes, rate, churn, seed)
    with drill_folder(home) as folder:
        report = asyncio.run(soak_p2p(folder, options, (lambda _: None) if as_json else _tell_mark))
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


def _tell_mark(mark: "Mark") -> None:
    from mev_dagster.commands.output import out

    out.print(
        f"minute {mark.minute:6.2f}: {mark.delivered:,} of {mark.announced:,} announced are in the store, "
        f"{mark.churned} times a peer went, daemon {mark.rss_mib:.1f} MiB",
        soft_wrap=True,
    )


def _tell_report(report: "SoakReport") -> None:
    from mev_dagster.commands.output import out

    level = {True: "level", False: "[red]rising[/]", None: "too short to judge"}[report.rss_level]
    lag = "unknown" if report.loop_lag_p99_ms is None else f"at most {report.loop_lag_p99_ms:g} ms"
    verdict = "[bold green]nothing lost[/]" if report.ok else f"[bold red]{report.lost} lost[/]"
    out.print(
        f"{verdict}: {report.delivered:,} of {report.announced:,} transactions that honest peers announced "
        f"were delivered, {report.peers_only_delivered:,} of {report.peers_only:,} that only peers had",
        soft_wrap=True,
    )
    out.print(f"{report.events:,} events logged; peers went and came {report.churned} times")
    out.print(f"memory {level}, {report.rss_slope:+.1f} MiB an hour over the second half")
    out.print(f"loop lag p99 {lag}; the daemon ended with status {report.daemon_exit}")
    for title, counts in (
        ("dropped before the log", report.dropped),
        ("conversations ended", report.disconnects),
        ("violations", report.violations),
    ):
        shown = ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"
        out.print(f"{title}: {shown}", soft_wrap=True)
