"""`mev store`: serve the embedded store, keep its schema, ask it, prune it, check it."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table as RichTable

from mev_dagster.commands.output import err, jsonable, out, print_json, progress
from mev_dagster.errors import InputError
from mev_dagster.settings import Settings, settings

if TYPE_CHECKING:
    from mev_dagster.retention import Swept

app = typer.Typer(add_completion=False, help="Schema, retention and integrity of the store.")

Json = Annotated[bool, typer.Option("--json", help="print one JSON document")]


def _with_port(port: int | None) -> Settings:
    return settings() if port is None else settings().changed(store={"port": port})


@app.command()
def serve(port: Annotated[int | None, typer.Option(help="port; 0 picks a free one")] = None) -> None:
    """Own the embedded store and serve ClickHouse's HTTP interface on loopback."""
    from mev_dagster.store.embedded.server import serve as run

    run(_with_port(port), ready=lambda found: err.print(f"store: serving {found.url} (process {found.pid})"))


@app.command()
def migrate(json: Json = False) -> None:
    """Bring the database to the schema of this version."""
    from mev_dagster.store.client import open_store

    with open_store(settings(), migrate=False) as store:
        report = store.migrate()
        from mev_dagster.store.tables import TABLES

        tables = {name: {"columns": len(table.columns)} for name, table in TABLES.items()}
    if json:
        print_json({"tables": tables, **asdict(report), "ok": True})
        return
    out.print(
        f"{len(tables)} tables: {len(report.created)} created, {len(report.columns_added)} columns added, "
        f"{len(report.ttl_changed)} retention times set"
    )


@app.command()
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would go, change nothing")] = False,
    before: Annotated[str | None, typer.Option(help="drop every day of data before YYYY-MM-DD")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="logs, recordings, prestates and Dagster's records, too")
    ] = False,
    json: Json = False,
) -> None:
    """Drop what is older than its tier keeps; with --all, what the nightly retention job drops."""
    from mev_dagster.store.client import open_store
    from mev_dagster.store.retention import prune as run

    if everything and before is not None:
        raise InputError("--all goes by the settings; --before by a day: expected one of them")
    with open_store(settings()) as store:
        report = run(store, dry_run=dry_run, before=_day(before))
    swept = [asdict(one) for one in _sweep_beside_the_store(dry_run)] if everything else []
    ok = not any(one["problem"] for one in swept)
    if json:
        tables = {name: asdict(pruned) for name, pruned in report.tables.items()}
        pruned = {"tables": tables, "rows_pruned": report.rows_pruned, "dry_run": dry_run, "ok": ok}
        print_json(pruned | ({"elsewhere": swept} if everything else {}))
    else:
        table = RichTable("where", "what", "how many")
        for name, pruned_table in report.tables.items():
            table.add_row(f"table {name}", f"{len(pruned_table.days)} days", f"{pruned_table.rows:,}")
        for one in swept:
            table.add_row(one["place"], one["problem"] or one["what"], f"{one['count']:,}")
        out.print(table)
        out.print(f"{report.rows_pruned:,} rows {'would go' if dry_run else 'are gone'}")
    if not ok:
        raise typer.Exit(1)


def _sweep_beside_the_store(dry_run: bool) -> "Iterator[Swept]":
    """Sweep the log and the home; Dagster is loaded only where it has left records."""
    from mev_dagster.retention import sweep_event_log, sweep_home

    yield from sweep_event_log(dry_run)
    yield from sweep_home(dry_run)
    home = settings().dagster_home.resolve()
    if (home / "dagster.yaml").exists():
        from resources.runtime.instance_sweep import sweep_instance

        yield from sweep_instance(home, dry_run)


@app.command()
def verify(json: Json = False) -> None:
    """Check parts on disk, the schema, and that no key is stored twice."""
    from mev_dagster.store.client import open_store
    from mev_dagster.store.verify import verify as run

    with open_store(settings(), migrate=False) as store:
        health = run(store)
    if json:
        print_json(
            {"tables": {name: asdict(found) for name, found in health.tables.items()}, "ok": health.ok}
        )
    else:
        table = RichTable("table", "rows", "digest", "problems")
        for name, found in health.tables.items():
            table.add_row(name, f"{found.rows:,}", found.digest, "; ".join(found.problems))
        out.print(table)
    if not health.ok:
        raise typer.Exit(1)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="a SELECT; v_* views show hex")], json: Json = False
) -> None:
    """Ask the store."""
    from mev_dagster.store.client import open_store

    with open_store(settings()) as store:
        names, rows = store.table(sql)
    if json:
        print_json({"columns": names, "rows": rows})
        return
    table = RichTable(*names)
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    out.print(table)


@app.command()
def backfill(
    what: Annotated[list[str], typer.Argument(help="folder of an event log, or FIRST and LAST block")],
    again: Annotated[bool, typer.Option("--again", help="what is there already, too")] = False,
    json: Json = False,
) -> None:
    """Store what an event log holds, or run the per-block assets of FIRST to LAST; again changes nothing."""
    if len(what) == 1:
        _backfill_log(what[0], again=again, json=json)
        return
    if len(what) != 2 or not all(part.isascii() and part.isdigit() for part in what):
        raise InputError(f"expected a log folder, or FIRST and LAST block; found {' '.join(what)}")
    _backfill_blocks(int(what[0]), int(what[1]), again=again, json=json)


def _backfill_log(log: str, *, again: bool, json: bool) -> None:
    from mev_dagster.events.reader import EventLogReader
    from mev_dagster.ingest.backfill import backfill as run
    from mev_dagster.store.client import open_store
    from mev_dagster.windows.decode_workers import workers_for

    with (
        open_store(settings()) as store,
        workers_for(EventLogReader(log).last_seq) as workers,
        progress("storing events", quiet=json) as bar,
    ):
        task = bar.add_task("", total=None, detail="")
        report = run(
            store,
            log,
            again=again,
            workers=workers,
            on_batch=lambda seq, last: bar.update(task, completed=seq, total=last),
        )
    if json:
        print_json(report)
        return
    table = RichTable("table", "rows written")
    for name, rows in report["tables"].items():
        table.add_row(name, f"{rows:,}")
    out.print(table)
    out.print(f"{report['events']:,} events of the log are in the store")


def _backfill_blocks(first: int, last: int, *, again: bool, json: bool) -> None:
    from mev_dagster.platform.block_backfill import backfill_blocks
    from mev_dagster.platform.webserver import Webserver
    from mev_dagster.store.client import open_store

    config = settings()
    with open_store(config, in_process=False) as store, progress("running blocks", quiet=json) as bar:
        task = bar.add_task("", total=None, detail="")
        report = backfill_blocks(
            store,
            Webserver(config),
            first,
            last,
            again=again,
            on_progress=lambda _, found: bar.update(task, completed=found.done, total=found.targeted),
        )
    if json:
        print_json({**asdict(report), "ok": report.ok})
    else:
        out.print(
            f"{report.blocks:,} blocks were run, {report.already_there:,} had their result, "
            f"{report.not_in_store:,} have no window in the store; {report.keys_added:,} keys added, "
            f"{report.failed:,} asset partitions failed"
        )
        if report.not_in_store:
            out.print(f"what the log holds of them comes back with: mev store backfill {config.events_dir}")
    if not report.ok:
        raise typer.Exit(1)


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise InputError(f"--before: expected YYYY-MM-DD, found {text!r}") from None


def _cell(value: Any) -> str:
    shown = jsonable(value)
    return "" if shown is None else str(shown)
