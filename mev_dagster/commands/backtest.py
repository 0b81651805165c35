"""`mev backtest`: score ex-ante candidates against what landed."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def backtest(
    path: Annotated[Path, typer.Argument(help="a capture's folder")],
    engine: Annotated[str, typer.Option(help="engine that executes the candidates")] = "py_evm",
    budget: Annotated[int | None, typer.Option(min=0, help="candidates executed per block")] = None,
    block: Annotated[int | None, typer.Option(help="score this block only")] = None,
    explain: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="say what became of the label with this transaction hash"),
    ] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="RUN", help="compare with what an earlier run printed with --json")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Search each block of a capture as if it were still to come, and compare with what landed in it."""
    from json import loads

    from mev_dagster.backtest.against import against as compared
    from mev_dagster.backtest.explain import explain as explained
    from mev_dagster.backtest.report import (
        backtest_to_json,
        print_backtest,
        print_compared,
        print_explained,
    )
    from mev_dagster.blockrun.judge import judge_of
    from mev_dagster.blockrun.over_capture import backtest_capture
    from mev_dagster.captures.format import open_capture
    from mev_dagster.commands import output
    from mev_dagster.errors import InputError
    from mev_dagster.evm.engines import get_engine
    from mev_dagster.settings import settings

    config = settings()
    before = None
    if against is not None:
        try:
            before = loads(against.read_bytes())
        except (OSError, ValueError) as reason:
            raise InputError(f"{against}: {reason}") from reason
    with open_capture(path) as capture, output.progress("backtesting", quiet=json) as bar:
        task = bar.add_task("", total=len(capture.numbers) if block is None else 1, detail="")
        result = backtest_capture(
            capture,
            get_engine(engine),
            judge_of(config),
            number=block,
            budget=config.search.budget if budget is None else budget,
            on_block=lambda number: bar.update(task, advance=1, detail=f"block {number}"),
        )
    document = output.jsonable(backtest_to_json(result))
    if explain is not None:
        document["explained"] = explained(result, explain)
    if before is not None:
        document["against"] = compared(document, before)
    if json:
        output.print_json(document)
        return
    print_backtest(output.out, result)
    if explain is not None:
        print_explained(output.out, output.jsonable(document["explained"]))
    if before is not None:
        print_compared(output.out, document["against"])
