"""`mev status`: every process, and how far behind the chain the opportunities are."""

from typing import Annotated

import typer

from mev_dagster.commands.output import out, print_json

app = typer.Typer(add_completion=False)


@app.command()
def status(json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False) -> None:
    """Show the processes and the block-to-opportunity lag; exit 1 when anything is unhealthy."""
    import msgspec

    from mev_dagster.commands.up import print_table, row
    from mev_dagster.errors import MevError
    from mev_dagster.platform import processes
    from mev_dagster.platform.lag import block_to_opportunity_lag
    from mev_dagster.settings import settings
    from mev_dagster.store.client import open_store

    config = settings()
    states = processes.statuses(config)
    stopped = processes.stopped(config)
    healthy = all(state.healthy for state in states) and not stopped
    try:
        lag = block_to_opportunity_lag(open_store(config))
        problem = None
    except MevError as error:
        lag, problem, healthy = None, str(error), False
    if json:
        print_json({"processes": [row(state) for state in states], "healthy": healthy,
                    "stopped": [msgspec.to_builtins(stage) for stage in stopped],
                    "lag": lag.as_dict() if lag else None})  # fmt: skip
    else:
        print_table(states)
        for stage in stopped:
            out.print(f"\n[red]{stage.sentence()}[/]")
        out.print(f"\n{lag.sentence() if lag else f'store: {problem}'}")
    raise typer.Exit(0 if healthy else 1)
