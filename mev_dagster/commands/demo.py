"""`mev demo`: the devnet's recorder and contract compiler."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def demo() -> None:
    """The devnet: its play, its recording, its contracts."""


@app.command()
def record(
    out: Annotated[Path | None, typer.Option(help="folder to write; default: the shipped capture")] = None,
    slot_seconds: Annotated[float, typer.Option(min=0.01, help="how long a slot lasts while recording")] = 12,
    json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Stage the play on a fresh anvil, record it, and execute what was recorded."""
    import asyncio
    from collections.abc import Sequence

    from mev_dagster.chain.blocks import Block
    from mev_dagster.commands import output
    from mev_dagster.demo import record as recording
    from mev_dagster.demo.script import SCRIPT
    from mev_dagster.demo.slot import Sending

    target = out or recording.CAPTURE
    with output.progress("recording", quiet=json) as bar:
        task = bar.add_task("", total=len(SCRIPT), detail="bringing the market about")

        def on_block(block: Block, sent: Sequence[Sending]) -> None:
            detail = f"block {block.header.number}: {len(sent)} sent, {len(block.transactions)} landed"
            bar.update(task, advance=1, detail=detail)

        asyncio.run(recording.record(target, slot_seconds=slot_seconds, on_block=on_block))
    report = recording.prove(target)
    if json:
        output.print_json({"capture": str(target), **report})
        return
    output.out.print(
        f"{target}: {report['blocks']} blocks, {report['txs']} transactions, {report['events']} events, "
        f"{report['bytes']} bytes; every block executes exactly: gas, logs, receipts root, state root"
    )


@app.command("compile")
def compile_(
    check: Annotated[bool, typer.Option("--check", help="compare with the shipped artifacts only")] = False,
) -> None:
    """Compile the Vyper contracts into the shipped artifacts."""
    from mev_dagster.commands import output
    from mev_dagster.demo import compile as compiler

    document = compiler.compile_all()
    stale = compiler.ARTIFACTS.read_text() != compiler.render(document)
    if check and stale:
        output.err.print(f"mev: {compiler.ARTIFACTS} is not what the sources compile to")
        raise typer.Exit(1)
    if not check:
        compiler.ARTIFACTS.write_text(compiler.render(document))
    for name, fields in sorted(document["contracts"].items()):
        output.out.print(f"{name}: {len(fields['runtime']) // 2 - 1} bytes of code")
    output.out.print(f"{compiler.ARTIFACTS}: {'written' if stale else 'unchanged'}")
