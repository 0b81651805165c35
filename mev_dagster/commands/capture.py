"""`mev capture`: import and verify self-contained windows of chain and mempool."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def capture() -> None:
    """Self-contained windows of chain and mempool."""


@app.command("import")
def import_(
    paths: Annotated[list[Path], typer.Argument(help="block files, or folders of them, then the capture")],
    json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Make a capture of other people's files: PATHS... OUT."""
    from mev_dagster.captures.importers import block_files, import_blocks_prestate
    from mev_dagster.commands import output
    from mev_dagster.errors import InputError

    if len(paths) < 2:
        raise InputError("expected the files to import and then the folder to make")
    *sources, out = paths
    files = block_files(sources)
    with output.progress("importing blocks", quiet=json) as bar:
        task = bar.add_task("", total=len(files), detail="")
        report = import_blocks_prestate(
            files, out, on_block=lambda number: bar.update(task, advance=1, detail=str(number))
        )
    if json:
        output.print_json({"capture": str(out), **asdict(report)})
        return
    rejected = "".join(f", {count} x {reason}" for reason, count in sorted(report.rejected.items()))
    output.out.print(
        f"{out}: {report.blocks} blocks, {report.transactions} transactions, {report.events} events; "
        f"rejected {sum(report.rejected.values())}{rejected}"
    )


@app.command()
def verify(
    path: Annotated[Path, typer.Argument(help="a capture's folder")],
    json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Check every digest, record and root of a capture."""
    from mev_dagster.captures.verify import verify_capture
    from mev_dagster.commands import output

    with output.progress("verifying blocks", quiet=json) as bar:
        task = bar.add_task("", total=None, detail="")
        report = verify_capture(
            path, on_block=lambda done, total: bar.update(task, completed=done, total=total)
        )
    if json:
        output.print_json({"ok": report.ok, **asdict(report)})
    else:
        for error in report.errors:
            output.err.print(f"mev: bad_capture: {error}", markup=False)
        output.out.print(
            f"{path}: {'holds' if report.ok else 'does not hold'}: {report.blocks} blocks, {report.txs} "
            f"transactions, {report.events} events, {report.prestates} prestates, {report.codes} codes, "
            f"{report.receipts_root_matches} of {report.receipts_root_checked} receipts roots equal, "
            f"arrival times {report.arrival_times or 'unknown'}"
        )
    if not report.ok:
        raise typer.Exit(1)
