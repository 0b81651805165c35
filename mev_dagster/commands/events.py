"""`mev events`: verify and read an event log."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mev_dagster.hexadecimal import to_hex
from mev_dagster.units import NS_PER_DAY, NS_PER_SECOND

if TYPE_CHECKING:
    from mev_dagster.events.types import Event

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def events() -> None:
    """Look into an event log."""


@app.command()
def verify(
    logdir: Annotated[Path, typer.Argument(help="the log's folder")],
    json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Check every digest, checksum, number and link of a log."""
    from mev_dagster.commands import output
    from mev_dagster.events.verify import verify as verify_log

    with output.progress("verifying segments", quiet=json) as bar:
        task = bar.add_task("", total=None, detail="")
        report = verify_log(
            logdir, on_segment=lambda done, total: bar.update(task, completed=done, total=total)
        )
    if json:
        output.print_json(asdict(report))
    else:
        for damage in report.errors:
            at = f"segment {damage.segment}: offset {damage.offset}"
            hit = f": event {damage.seq}" if damage.seq >= 0 else ""
            output.err.print(f"mev: log_corrupt: {at}{hit}: {damage.detail}", markup=False)
        torn = f", {report.torn_bytes} torn bytes behind the last event" if report.torn_bytes else ""
        output.out.print(
            f"{logdir}: {'holds' if report.ok else 'does not hold'}: {report.segments} segments, "
            f"{report.events} events, {report.first_seq} to {report.last_seq}{torn}"
        )
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def cat(
    logdir: Annotated[Path, typer.Argument(help="the log's folder")],
    from_seq: Annotated[int, typer.Option("--from", help="first event")] = 0,
    limit: Annotated[int | None, typer.Option("--limit", help="at most so many events")] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON document with all events")] = False,
) -> None:
    """Print events, one a line."""
    from itertools import islice

    from mev_dagster.events.reader import EventLogReader

    _print(islice(EventLogReader(logdir).read(from_seq), limit), as_json=json)


@app.command()
def tail(
    logdir: Annotated[Path, typer.Argument(help="the log's folder")],
    lines: Annotated[int, typer.Option("-n", help="start with the last so many events")] = 10,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="wait for more")] = False,
    json: Annotated[bool, typer.Option("--json", help="one JSON document with all events")] = False,
) -> None:
    """Print the last events of a log that may still be growing."""
    from mev_dagster.errors import InputError
    from mev_dagster.events.reader import EventLogReader

    if json and follow:
        raise InputError("--json prints one document, --follow never ends it")
    reader = EventLogReader(logdir)
    start = max(reader.first_seq, reader.last_seq + 1 - max(0, lines))
    _print(reader.read(start, follow=follow), as_json=json)


@app.command()
def prune(
    logdir: Annotated[Path, typer.Argument(help="the log's folder; no daemon may be writing it")],
    days: Annotated[float, typer.Option("--older-than-days", min=0, help="keep events younger than this")],
    json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Remove sealed segments whose last event is older than so many days; the rest still verifies."""
    import time

    from mev_dagster.commands import output
    from mev_dagster.errors import InputError
    from mev_dagster.events.log import EventLogWriter

    if not logdir.is_dir():
        raise InputError(f"{logdir}: no such event log")
    with EventLogWriter(logdir) as writer:
        removed = writer.prune(time.time_ns() - int(days * NS_PER_DAY))
    if json:
        output.print_json({"removed": removed})
    else:
        output.out.print(f"{logdir}: removed {len(removed)} segments", markup=False)


def _print(found: "Iterable[Event]", *, as_json: bool) -> None:
    from mev_dagster.commands import output

    if as_json:
        output.print_json({"events": [{"kind": type(event).__name__, **asdict(event)} for event in found]})
        return
    for event in found:
        output.out.print(_line(event), markup=False, soft_wrap=True)


def _line(event: "Event") -> str:
    """Return an event as a person reads it: time, number, kind, lane, then its own fields."""
    fields = asdict(event)
    wall_ns = fields.pop("wall_ns")
    time = datetime.fromtimestamp(wall_ns // NS_PER_SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S")
    start = (
        f"{time}.{wall_ns % NS_PER_SECOND:09d} {fields.pop('seq'):>9} {type(event).__name__:<13} "
        f"{fields.pop('lane').name.lower()}:{fields.pop('source')}"
    )
    del fields["mono_ns"]
    return start + "".join(
        f" {name}={_text(value)}" for name, value in fields.items() if value not in ("", None)
    )


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return to_hex(value) if len(value) <= 32 else f"{len(value)} bytes"
    if isinstance(value, tuple):
        return f"{len(value)} hashes"
    return str(value)
