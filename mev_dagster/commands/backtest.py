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
    json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Search each block of a capture as if it were still to come, and compare with what landed in it."""
    from mev_dagster.backtest.report import backtest_to_json, print_backtest
    from mev_dagster.blockrun.judge import judge_of
    from mev_dagster.blockrun.over_capture import backtest_capture
    from mev_dagster.captures.format import open_capture
    from mev_dagster.commands import output
    from mev_dagster.evm.engines import get_engine
    from mev_dagster.settings import settings

    config = settings()
    with open_capture(path) as capture, output.progress("backtesting", quiet=json) as bar:
        task = bar.add_task("", total=len(capture.numbers), detail="")
        result = backtest_capture(
            capture,
            get_engine(engine),
            judge_of(config),
            budget=config.search.budget if budget is None else budget,
            on_block=lambda number: bar.update(task, advance=1, detail=f"block {number}"),
        )
    if json:
        output.print_json(backtest_to_json(result))
    else:
        print_backtest(output.out, result)
