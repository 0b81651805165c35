"""`mev chaos`: fault drills, and what was lost."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mev_dagster.drills.p2p_chaos import Drill

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def chaos() -> None:
    """Break a part of the platform on purpose, and count what was lost."""


@app.command()
def p2p(
    rate: Annotated[float, typer.Option(min=0.1, max=500, help="transactions a second meanwhile")] = 20,
    hold: Annotated[float, typer.Option(min=0.5, max=60, help="seconds a fault lasts")] = 8,
    seed: Annotated[int, typer.Option(help="of the traffic")] = 1,
    home: Annotated[Path | None, typer.Option(help="keep log, store and the processes' logs here")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False,
) -> None:
    """Kill, stall and confuse devp2p peers, stop the node, kill the store and the daemon, under traffic."""
    from mev_dagster.commands.output import print_json
    from mev_dagster.drills.folders import drill_folder
    from mev_dagster.drills.p2p_chaos import ChaosOptions, chaos_p2p
    from mev_dagster.drills.running import run_drill
    from mev_dagster.telemetry.logging import configure

    configure("error")
    options = ChaosOptions(rate, hold, seed)
    with drill_folder(home) as folder:
        drills = run_drill(chaos_p2p(folder, options, (lambda _: None) if as_json else _tell))
    held = all(drill.ok for drill in drills)
    if as_json:
        print_json({"drills": drills, "ok": held})
    if not held:
        raise typer.Exit(1)


def _tell(drill: "Drill") -> None:
    from mev_dagster.commands.output import out

    mark = "[bold green]✔[/]" if drill.ok else "[bold red]✘[/]"
    verdict = "nothing lost" if drill.ok else f"[bold red]{drill.lost} lost[/]"
    out.print(f"{mark} [bold]{drill.name}[/]: {drill.detail}", soft_wrap=True)
    out.print(
        f"  {verdict} of {drill.announced:,} announced so far, {drill.recovered_s:g} s after the fault",
        soft_wrap=True,
    )
