"""`mev demo`: the whole loop on the shipped capture; the devnet's recorder and contract compiler."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def demo(
    context: typer.Context,
    verify: Annotated[
        bool, typer.Option("--verify", help="one line a step; status 1 when one fails")
    ] = False,
    capture: Annotated[Path | None, typer.Option(help="another capture with states and a searcher")] = None,
    home: Annotated[Path | None, typer.Option(help="keep log, store and traces in this new folder")] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="leave Dagster's UI running on the capture; mev down stops it")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Tell the whole loop, offline: from a recorded mempool to a relay's answer, every figure checked."""
    if context.invoked_subcommand is not None:
        return
    import tempfile
    from contextlib import ExitStack

    from mev_dagster.commands import output
    from mev_dagster.demo import SHIPPED_CAPTURE
    from mev_dagster.demo.story import STEPS, play
    from mev_dagster.demo.telling import tell_end, tell_step
    from mev_dagster.errors import InputError
    from mev_dagster.telemetry.logging import configure

    if home is not None and home.exists() and any(home.iterdir()):
        raise InputError(f"--home {home}: expected a folder that is new or empty")
    configure("error")
    steps, source = [], capture or SHIPPED_CAPTURE
    with ExitStack() as stack:
        folder = home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mev-demo-")))
        bar = stack.enter_context(output.progress("demo", quiet=json))
        task = bar.add_task("", total=len(STEPS), detail=STEPS[0][0])
        for step in play(source, folder):
            steps.append(step)
            following = STEPS[len(steps)][0] if len(steps) < len(STEPS) else ""
            bar.update(task, advance=1, detail=following)
            if verify and not json:
                output.out.print(f"{'ok    ' if step.ok else 'FAILED'} {step.name:8} {step.seconds:6.1f} s")
                if not step.ok:
                    output.out.print(f"       {output.jsonable(step.figures)}", markup=False)
            elif not json:
                tell_step(output.out, step)
    ok = len(steps) == len(STEPS) and all(step.ok for step in steps)
    if json:
        output.print_json({"steps": [asdict(step) for step in steps], "ok": ok})
    elif verify:
        output.out.print(f"{sum(step.ok for step in steps)} of {len(STEPS)} steps hold")
    else:
        tell_end(output.out, steps, source)
    if not ok:
        raise typer.Exit(1)
    if serve:
        from mev_dagster.commands.up import up

        if not json:
            output.out.print("\nStarting the platform on the same capture, a run for every block:")
        up(capture=source, speed="max", json=False)


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
    from mev_dagster.demo import SHIPPED_CAPTURE
    from mev_dagster.demo import record as recording
    from mev_dagster.demo.script import SCRIPT
    from mev_dagster.demo.slot import Sending

    target = out or SHIPPED_CAPTURE
    with output.progress("recording", quiet=json) as bar:
        task = bar.add_task("", total=len(SCRIPT), detail="bringing the market about")

        def on_block(block: Block, sent: Sequence[Sending]) -> None:
            detail = f"block {block.header.number}: {len(sent)} sent, {len(block.transactions)} landed"
            bar.update(task, advance=1, detail=detail)

        manifest = asyncio.run(recording.record(target, slot_seconds=slot_seconds, on_block=on_block))
    counts = {part.name.partition(".")[0]: part.records for part in manifest.parts}
    size = sum(part.bytes for part in manifest.parts)
    if json:
        output.print_json({"capture": str(target), "bytes": size, **counts})
        return
    output.out.print(
        f"{target}: {counts['blocks']} blocks, {counts['events']} events, {size} bytes; "
        "every block executes exactly: gas, logs, receipts root, state root"
    )


@app.command()
def live(
    minutes: Annotated[float, typer.Option(min=0.1, help="how long to play")] = 5,
    slot_seconds: Annotated[int, typer.Option(min=1, help="seconds between blocks")] = 12,
) -> None:
    """Run the devnet as a live node to follow: `mev up --rpc` the address it prints."""
    import asyncio

    from mev_dagster.chain.blocks import Block
    from mev_dagster.commands import output
    from mev_dagster.demo.live import live as play

    blocks = max(round(minutes * 60 / slot_seconds), 1)
    with output.progress("playing") as bar:
        task = bar.add_task("", total=blocks, detail="bringing the market about")

        def on_block(block: Block, sent: int) -> None:
            detail = f"block {block.header.number}: {sent} sent, {len(block.transactions)} landed"
            bar.update(task, advance=1, detail=detail)

        def on_ready(url: str) -> None:
            output.out.print(url)
            output.err.print(f"follow it with: mev up --rpc {url}")

        asyncio.run(play(blocks=blocks, slot_seconds=slot_seconds, on_ready=on_ready, on_block=on_block))


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
