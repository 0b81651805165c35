"""`mev report`: a page of what an hour or a day came to, with plots, traces and links to the runs."""

from typing import Annotated

import typer
from rich.table import Table

app = typer.Typer(add_completion=False)


@app.command()
def report(
    window: Annotated[
        str | None,
        typer.Argument(help="an hour (2026-11-22T14) or a day (2026-11-22), UTC; the newest day if left out"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Write the page of a window under MEV_HOME/reports and say what it came to."""
    from mev_dagster.commands import output
    from mev_dagster.errors import InputError
    from mev_dagster.reports.figures import newest_hour, report_of
    from mev_dagster.reports.links import page_url
    from mev_dagster.reports.page import write_page
    from mev_dagster.reports.window import ReportWindow
    from mev_dagster.settings import settings
    from mev_dagster.store.client import open_store

    config = settings()
    with open_store(config) as store:
        newest = newest_hour(store)
        if newest is None:
            raise InputError("the store holds no searched block: start the platform with `mev up`")
        wanted = ReportWindow.parse(window) if window else ReportWindow.day_of(newest.window.start_ns)
        found = report_of(store, wanted)
    path = write_page(config, found)
    figures = found.figures()
    if json:
        url = page_url(config, wanted)
        output.print_json({"path": str(path), "url": url, "window": wanted.name, "figures": figures})
        return
    table = Table(box=None, show_header=False, padding=(0, 2))
    for name, value in figures.items():
        table.add_row(name.replace("_", " "), f"{value:,}")
    output.out.print(table)
    output.out.print(f"\n{path}")
