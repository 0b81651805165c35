"""`mev down`: stop every process of the platform."""

from typing import Annotated

import typer

from mev_dagster.commands.output import err, print_json

app = typer.Typer(add_completion=False)


@app.command()
def down(json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False) -> None:
    """Stop everything `mev up` started; the event log is sealed on the way."""
    from mev_dagster.platform import processes
    from mev_dagster.settings import settings

    with err.status("stopping"):
        processes.stop(settings())
    if json:
        print_json({"stopped": True})
    else:
        err.print("stopped")
