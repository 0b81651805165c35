"""`mev replay`: run an event log through the same path again and compare with what the live path stored."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mev_dagster.captures.source import ChainSource
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
    capture: Annotated[
        Path | None, typer.Option(help="capture with the blocks' state: search them again too")
    ] = None,
    rpc: Annotated[str | None, typer.Option(help="archive node to take that state from")] = None,
    engine: Annotated[str, typer.Option(help="engine to execute with")] = "py_evm",
    json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Rebuild every row of a log from its events, digest it window by window, compare it with a store."""
    from mev_dagster.blockrun.judge import judge_of
    from mev_dagster.commands import output
    from mev_dagster.events.reader import EventLogReader
    from mev_dagster.evm.engines import get_engine
    from mev_dagster.replay.report import Deciding, replay_log
    from mev_dagster.settings import settings
    from mev_dagster.store.client import open_store
    from mev_dagster.windows.decode_workers import workers_for

    with ExitStack() as stack:
        store = stack.enter_context(open_store(_store_settings(against))) if against else None
        bar = stack.enter_context(output.progress("replaying events", quiet=json))
        task = bar.add_task("", total=None, detail="")
        source = _source(stack, capture, rpc)
        deciding = None
        if source is not None:
            deciding = Deciding(
                source,
                get_engine(engine),
                judge_of(settings()),
                budget=settings().search.budget,
                on_block=lambda number: bar.update(task, detail=f"block {number}"),
            )
        reader = EventLogReader(log)
        report = replay_log(
            reader,
            store,
            deciding=deciding,
            workers=stack.enter_context(workers_for(reader.last_seq)),
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
    if report.blocks_decided:
        out.print(
            f"{report.blocks_decided} blocks searched again: {report.decisions_equal:,} of "
            f"{report.decisions_compared:,} features, executions and rankings equal"
        )
    first = report.first_divergence
    if first is not None:
        where = f"{first.table}.{first.column}" if first.column else first.table
        out.print(f"first divergence: event {first.seq}, {where}: {first.explanation}", markup=False)
        out.print(
            f"  log:   {first.expected!r}\n  store: {first.found!r}\n  event: {first.event}", markup=False
        )


def _source(stack: ExitStack, capture: Path | None, rpc: str | None) -> "ChainSource | None":
    from mev_dagster.captures.format import open_capture
    from mev_dagster.captures.source import NodeSource
    from mev_dagster.errors import InputError
    from mev_dagster.ingest.recording import http_address
    from mev_dagster.node.http import JsonRpc

    if capture is not None and rpc is not None:
        raise InputError("give --capture or --rpc, not both")
    if capture is not None:
        return stack.enter_context(open_capture(capture))
    return NodeSource(stack.enter_context(JsonRpc(http_address(rpc)))) if rpc else None


def _store_settings(against: str) -> "Settings":
    from mev_dagster.errors import InputError
    from mev_dagster.settings import settings

    if against.startswith(("http://", "https://")):
        return settings().changed(store={"url": against})
    if not Path(against).is_dir():
        raise InputError(f"--against: expected http://host:port or a home folder, found {against}")
    return settings().changed(home=Path(against), store={"url": None})
