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
    paths: Annotated[
        list[Path], typer.Argument(help="files to import, or folders, then the capture to make")
    ],
    format: Annotated[
        str | None, typer.Option(help="blocks, rpc, dumpster or era1; told by the files otherwise")
    ] = None,
    chain_id: Annotated[int | None, typer.Option(help="for files that do not say it; 1 otherwise")] = None,
    json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Make a capture of other people's files: PATHS... OUT. Interrupted, it goes on when run again."""
    from mev_dagster.captures.importers import Format, import_files
    from mev_dagster.commands import output
    from mev_dagster.errors import InputError

    if len(paths) < 2:
        raise InputError("expected the files to import and then the folder to make")
    if format is not None and format not in set(Format):
        raise InputError(f"--format {format}: expected one of {', '.join(Format)}")
    *sources, out = paths
    with output.progress("importing", quiet=json) as bar:
        task = bar.add_task("", total=None, detail="")
        report = import_files(
            sources,
            out,
            format=Format(format) if format else None,
            chain_id=chain_id,
            on_progress=lambda done, total, detail: bar.update(
                task, completed=done, total=total, detail=detail
            ),
        )
    if json:
        output.print_json({"capture": str(out), **asdict(report)})
        return
    rejected = "".join(f", {count} x {reason}" for reason, count in report.rejected.items())
    output.out.print(
        f"{out}: {report.blocks} blocks, {report.transactions} transactions, {report.events} events; "
        f"rejected {sum(report.rejected.values())}{rejected}"
    )


@app.command()
def record(
    out: Annotated[Path, typer.Argument(help="the folder to make")],
    *,
    rpc: Annotated[str | None, typer.Option(help="node to record, ws://host:port")] = None,
    http: Annotated[str | None, typer.Option(help="its http:// address, where that differs")] = None,
    blocks: Annotated[int, typer.Option(min=1, help="how many blocks")] = 10,
    whole_state: Annotated[
        bool, typer.Option("--whole-state", help="dump the whole state (devnets)")
    ] = False,
    witness: Annotated[
        bool, typer.Option("--witness", help="with each block the trie nodes that prove it")
    ] = False,
    first: Annotated[int | None, typer.Option(help="a block that has landed: from this one on")] = None,
    last: Annotated[int | None, typer.Option(help="up to this one; --first alone records one")] = None,
    engine: Annotated[str, typer.Option(help="engine that finds and proves the state")] = "py_evm",
    json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Record the next blocks of a live node, what was pending before each, and the state they start from.

    With --first, blocks of an archive or full node that have landed: each with a witness, by which any tool
    can execute it alone.
    """
    import asyncio

    from mev_dagster.captures.record import RecordedBlock
    from mev_dagster.captures.record_blocks import record_blocks
    from mev_dagster.commands import output
    from mev_dagster.errors import InputError
    from mev_dagster.evm.engines import get_engine
    from mev_dagster.ingest.recording import http_address, record_node
    from mev_dagster.node.http import JsonRpc
    from mev_dagster.settings import settings

    url = rpc or settings().node_url
    if not url:
        raise InputError("no node: give --rpc ws://host:port or MEV_RPC_URL")
    if out.exists():
        raise InputError(f"{out}: already exists")
    if last is not None and first is None:
        raise InputError("--last goes with --first")
    if first is not None:
        blocks = (last if last is not None else first) - first + 1
    with output.progress("recording blocks", quiet=json) as bar:
        task = bar.add_task("", total=blocks, detail="")

        def recorded(block: RecordedBlock) -> None:
            bar.update(task, advance=1, detail=str(block.block.header.number))

        if first is not None:
            with JsonRpc(http or http_address(url)) as client:
                end = first if last is None else last
                manifest = record_blocks(
                    client, out, first, end, engine=get_engine(engine), on_block=recorded
                )
        else:
            manifest = asyncio.run(
                record_node(
                    url,
                    out,
                    blocks=blocks,
                    http_url=http,
                    engine=get_engine(engine),
                    whole_state=whole_state,
                    witnesses=witness,
                    on_block=recorded,
                )
            )
    counts = {part.name.partition(".")[0]: part.records for part in manifest.parts}
    size = sum(part.bytes for part in manifest.parts)
    if json:
        output.print_json(
            {
                "capture": str(out),
                "chain_id": manifest.chain_id,
                "first_block": manifest.first_block,
                "last_block": manifest.last_block,
                **counts,
                "bytes": size,
                "arrival_times": str(manifest.arrival_times),
                "proven": True,
            }
        )
        return
    output.out.print(
        f"{out}: blocks {manifest.first_block} to {manifest.last_block} of chain {manifest.chain_id}, "
        f"{counts['events']} events, {counts['codes']} codes, {size:,} bytes; every block executed again "
        "on its own prestate with equal receipts"
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
            f"{report.state_root_matches} of {report.state_root_checked} state roots proven from witnesses, "
            f"arrival times {report.arrival_times or 'unknown'}"
        )
    if not report.ok:
        raise typer.Exit(1)
