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
    from mev_dagster.platform.status import whole_status
    from mev_dagster.settings import settings

    found = whole_status(settings())
    if json:
        print_json({"processes": [row(state) for state in found.processes], "healthy": found.healthy,
                    "stopped": [msgspec.to_builtins(stage) for stage in found.stopped],
                    "lag": found.lag.as_dict() if found.lag else None})  # fmt: skip
    else:
        print_table(found.processes)
        for stage in found.stopped:
            out.print(f"\n[red]{stage.sentence()}[/]")
        out.print(f"\n{found.lag.sentence() if found.lag else f'store: {found.problem}'}")
    raise typer.Exit(0 if found.healthy else 1)
