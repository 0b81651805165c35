"""`mev search`: ranked ex-ante candidates of a capture."""

from pathlib import Path
from typing import Annotated

import typer

from mev_dagster.hexadecimal import to_hex

app = typer.Typer(add_completion=False)


@app.command()
def search(
    path: Annotated[Path, typer.Argument(help="a capture's folder")],
    block: Annotated[int | None, typer.Option(help="search this block only")] = None,
    engine: Annotated[str, typer.Option(help="engine that executes the candidates")] = "py_evm",
    budget: Annotated[int | None, typer.Option(min=0, help="candidates executed per block")] = None,
    book: Annotated[
        Path | None, typer.Option(help="a pool book of mev pools sync, behind the block's parent")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Find, execute and rank what could have been earned in each block of a capture."""
    import hashlib

    from mev_dagster.blockrun.judge import judge_of
    from mev_dagster.blockrun.over_capture import decide_capture
    from mev_dagster.captures.format import open_capture
    from mev_dagster.commands import output
    from mev_dagster.evm.engines import get_engine
    from mev_dagster.search.report import block_to_json, print_block
    from mev_dagster.settings import settings

    config, results = settings(), []
    with open_capture(path) as capture, output.progress("searching", quiet=json) as bar:
        total = 1 if block is not None else len(capture.numbers)
        task = bar.add_task("", total=total, detail="")
        for decision in decide_capture(
            capture,
            get_engine(engine),
            judge_of(config),
            number=block,
            budget=config.search.budget if budget is None else budget,
            book=book,
            on_step=lambda number, step: bar.update(task, detail=f"block {number}: {step}"),
        ):
            results.append(decision.result)
            bar.advance(task)
        synthetic = capture.synthetic
    blocks = [block_to_json(result) for result in results]
    digest = hashlib.sha256(b"".join(result.rank_digest for result in results)).digest()
    if json:
        output.print_json(
            {
                "candidates": [candidate for entry in blocks for candidate in entry.pop("candidates")],
                "rank_digest": digest,
                "blocks": blocks,
                "arrival_times": "synthetic" if synthetic else "observed",
            }
        )
        return
    for result in results:
        print_block(output.out, result)
    verified = sum(candidate.verified for result in results for candidate in result.candidates)
    found = sum(len(result.candidates) for result in results)
    note = "; arrival times are synthetic" if synthetic else ""
    output.out.print(
        f"{len(results)} blocks: {found} candidates, {verified} verified; rank {to_hex(digest)}{note}",
        soft_wrap=True,
    )
