"""`mev relay`: judge a submission file, run the sandbox relay, submit dry."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from mev_dagster.commands.output import out, print_json
from mev_dagster.errors import DecodeError, InputError

if TYPE_CHECKING:
    from mev_dagster.pbs.checks import Check
    from mev_dagster.pbs.types import SubmitBlockRequest

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def relay() -> None:
    """Sandbox relay, submission checks, dry-run submit."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="SubmitBlockRequest as JSON or SSZ, plain, gzip or zstd")],
    genesis_fork_version: Annotated[
        str | None, typer.Option(help="4-byte hex; absent: every network known here is tried")
    ] = None,
    parent_beacon_root: Annotated[
        str | None, typer.Option(help="32-byte hex; the block hash of Deneb and later covers it")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Judge a submission as a relay would, as far as it can be judged without the chain."""
    from dataclasses import asdict

    from mev_dagster.pbs import checks

    submission = _submission(file)
    fork_version = _hex_flag("--genesis-fork-version", genesis_fork_version, 4)
    beacon_root = _hex_flag("--parent-beacon-root", parent_beacon_root, 32)
    results = list(
        checks.check_all(submission, genesis_fork_version=fork_version, parent_beacon_root=beacon_root)
    )
    accepted = all(result.ok for result in results)
    if as_json:
        print_json({"accepted": accepted, "checks": [asdict(result) for result in results]})
    else:
        _print_checks(file, submission.fork.version, accepted, results)
    raise typer.Exit(0 if accepted else 1)


def _print_checks(file: Path, fork: str, accepted: bool, results: "list[Check]") -> None:
    table = Table(box=None, padding=(0, 2))
    for column in ("check", "", "code", "message"):
        table.add_column(column)
    for result in results:
        mark = "[green]ok[/]" if result.ok else "[red]failed[/]"
        table.add_row(result.name, mark, result.code, result.message)
    out.print(f"[bold]{file.name}[/] ({fork}): " + ("[green]accepted[/]" if accepted else "[red]refused[/]"))
    out.print(table)


def _submission(file: Path) -> "SubmitBlockRequest":
    from mev_dagster.pbs import wire

    try:
        return wire.decode_submission(wire.decompress(file.read_bytes()))
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from error
    except DecodeError as error:
        raise DecodeError(error.reason, f"{file}: {error.detail}") from error


def _hex_flag(flag: str, text: str | None, size: int) -> bytes | None:
    if text is None:
        return None
    try:
        value = bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise InputError(f"{flag}: expected {size} bytes of hex, found {text}") from error
    if len(value) != size:
        raise InputError(f"{flag}: expected {size} bytes of hex, found {len(value)}")
    return value
