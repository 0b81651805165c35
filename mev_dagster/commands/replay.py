"""`mev replay`: run an event log through the same path again and compare with what the live path stored."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mev_dagster.replay.report import ReplayReport
    from mev_dagster.settings import Settings

app = typer.Typer(add_completion=False)


@app.command()
def replay(
    log: Annotated[Path, typer.Argument(help="folder of the event log")],
    *,
    against: Annotated[
        str | None, typer.Option(help="store to compare with: http://host:port, or the home folder of one")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Rebuild every row of a log from its events, digest it window by window, compare it with a store."""
    from mev_dagster.commands import output
    from mev_dagster.events.reader import EventLogReader
    from mev_dagster.replay.report import replay_log
    from mev_dagster.store.client import open_store

    with ExitStack() as stack:
        store = stack.enter_context(open_store(_store_settings(against))) if against else None
        bar = stack.enter_context(output.progress("replaying events", quiet=json))
        task = bar.add_task("", total=None, detail="")
        report = replay_log(
            EventLogReader(log),
            store,
            on_batch=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if json:
        output.print_json(report.to_json())
    else:
        _print(report)
    if not report.ok:
        raise typer.Exit(1)


def _print(report: "ReplayReport") -> None:
    from mev_dagster.commands.output import out

    out.print(
        f"{report.events:,} events in {report.segments} segments, {report.checkpoints} windows, digest "
        f"{report.digest.hex()}; {report.seconds:.1f} s, {report.times_real_time:,.0f} times real time"
    )
    if report.parity is None:
        return
    out.print(
        f"parity {report.parity:.4%}: {report.rows_equal:,} of {report.rows_compared:,} rows and "
        f"{report.checkpoints_equal:,} of {report.checkpoints_compared:,} live checkpoints equal"
    )
    first = report.first_divergence
    if first is not None:
        where = f"{first.table}.{first.column}" if first.column else first.table
        out.print(f"first divergence: event {first.seq}, {where}: {first.explanation}", markup=False)
        out.print(
            f"  log:   {first.expected!r}\n  store: {first.found!r}\n  event: {first.event}", markup=False
        )


def _store_settings(against: str) -> "Settings":
    from mev_dagster.errors import InputError
    from mev_dagster.settings import settings

    if against.startswith(("http://", "https://")):
        return settings().model_copy(update={"store_url": against})
    if not Path(against).is_dir():
        raise InputError(f"--against: expected http://host:port or a home folder, found {against}")
    return settings().model_copy(update={"home": Path(against), "store_url": None})
