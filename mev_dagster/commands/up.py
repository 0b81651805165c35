"""`mev up`: start every process of the platform and wait until each is healthy."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mev_dagster.commands.output import err, out, print_json
from mev_dagster.errors import InputError, MevError

if TYPE_CHECKING:
    from mev_dagster.platform.status import ProcessStatus
    from mev_dagster.settings import Settings

app = typer.Typer(add_completion=False)


@app.command()
def up(
    rpc: Annotated[str | None, typer.Option(help="your execution node, ws:// or http://")] = None,
    mode: Annotated[
        str | None, typer.Option(help="p2p, rpc or hybrid: lanes by what they are for; p2p needs no node")
    ] = None,
    capture: Annotated[
        Path | None, typer.Option(help="replay this capture instead of following a node")
    ] = None,
    speed: Annotated[str, typer.Option(help="capture speed: 1, N or max")] = "1",
    json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False,
    wait: Annotated[float, typer.Option(help="seconds to wait for health")] = 180.0,
) -> None:
    """Start every process; without --rpc the shipped capture is replayed."""
    from mev_dagster.demo import SHIPPED_CAPTURE
    from mev_dagster.platform import processes
    from mev_dagster.platform.dagster_home import dagster_environment, prepare
    from mev_dagster.serving.listen import reached
    from mev_dagster.settings import process_profile, settings

    base = settings() if mode is None else settings().changed(ingest={"mode": mode})
    mode = base.ingest.mode if capture is None else None
    url = rpc or (base.node_url if capture is None else None)
    source = (capture or SHIPPED_CAPTURE).resolve()
    listed_nodes = url is not None and not (rpc or base.rpc.url)  # each of `[[providers]]` has its lane
    if mode in {"rpc", "hybrid"} and url is None:
        raise InputError(f"--mode {mode} needs a node: give --rpc, MEV_RPC_URL or [[providers]]")
    live = url is not None or mode is not None
    config = base.changed(rpc={"url": None if listed_nodes else url}, capture=None if live else source)
    try:
        with processes.supervisor(config):
            raise MevError(
                f"already running for home {config.home}: `mev status` shows it, `mev down` stops it"
            )
    except processes.NotRunning:
        pass
    # A node's address may hold a key: it goes by the environment, which no process list shows.
    ingest = ("--mode", mode or "rpc") if live else (
        "--lanes", "capture", "--capture", str(source), "--speed", speed)  # fmt: skip
    listed = processes.platform(config, ingest)
    processes.check_ports(config, listed)
    home = config.home.resolve()
    if not live:
        _note_first_hour(home, source)
    with err.status("preparing Dagster's instance"):
        dagster_home = prepare(config)
    environment = {"MEV_HOME": str(home), "DAGSTER_HOME": str(dagster_home)} | dagster_environment()
    if not listed_nodes:
        environment |= {"MEV_RPC_URL": url} if url else {} if live else {"MEV_CAPTURE": str(source)}
    profile = process_profile()
    if profile is not None:
        environment["MEV_PROFILE"] = str(profile)
    processes.start(config, listed, environment)
    states = _await_health(config, wait)
    unhealthy = [state for state in states if not state.healthy]
    if json:
        print_json({"processes": [row(state) for state in states], "healthy": not unhealthy})
    else:
        print_table(states)
    if unhealthy:
        for state in unhealthy:
            err.print(
                f"--- {state.name} ({state.detail})\n{processes.log_tail(config, state.name)}", markup=False
            )
        raise typer.Exit(1)
    if not json:
        page = f"http://{reached(config.host)}:{config.dagster.webserver_port}"
        out.print(f"\nOpen [bold]{page}[/]; stop with [bold]mev down[/].")


def _note_first_hour(home: Path, capture: Path) -> None:
    """Let the hours of the roll-ups start early enough for the blocks of a capture."""
    from datetime import UTC, datetime

    from mev_dagster.captures.format import open_capture
    from mev_dagster.reports.first_hour import note_hour

    with open_capture(capture) as opened:
        first = opened.block(opened.numbers[0]).header.timestamp
    note_hour(home, datetime.fromtimestamp(first, UTC))


def _await_health(config: "Settings", seconds: float) -> "list[ProcessStatus]":
    from mev_dagster.platform.status import statuses

    deadline = time.monotonic() + seconds
    with err.status("starting") as line:
        while True:
            states = statuses(config)
            waiting = [state.name for state in states if not state.healthy]
            if not waiting or time.monotonic() > deadline:
                return states
            line.update(f"waiting for {', '.join(waiting)}")
            time.sleep(0.5)


def print_table(states: "Sequence[ProcessStatus]") -> None:
    """Print one line per process."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2), header_style="bold")
    for column in ("process", "pid", "health", "where"):
        table.add_column(column)
    for state in states:
        health = "[green]healthy[/]" if state.healthy else f"[red]{state.detail}[/]"
        table.add_row(state.name, str(state.pid), health, state.url or "")
    out.print(table)


def row(state: "ProcessStatus") -> dict[str, object]:
    """Return one process as the JSON document lists it."""
    return {"name": state.name, "pid": state.pid, "healthy": state.healthy, "url": state.url}
