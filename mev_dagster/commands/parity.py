"""`mev parity`: execute blocks and compare with what their network has."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from mev_dagster.commands.output import err, out, print_json, progress
from mev_dagster.errors import MevError, UnsupportedFork

if TYPE_CHECKING:
    from mev_dagster.evm.parity import BlockParity
    from mev_dagster.evm.types import SimulationEngine

app = typer.Typer(add_completion=False)


@dataclass
class Totals:
    """What the sweep has found so far; field names are the keys of `--json`."""

    blocks: int = 0
    txs: int = 0
    gas_mismatches: int = 0
    status_mismatches: int = 0
    log_mismatches: int = 0
    receipts_root_matches: int = 0
    receipts_root_checked: int = 0
    state_root_matches: int = 0
    state_root_checked: int = 0
    unsupported: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, file: str, parity: "BlockParity") -> None:
        """Count one block."""
        self.blocks += 1
        self.txs += parity.txs
        self.gas_mismatches += parity.count("gas")
        self.status_mismatches += parity.count("status")
        self.log_mismatches += parity.count("log")
        self.receipts_root_checked += parity.receipts_root_matches is not None
        self.receipts_root_matches += parity.receipts_root_matches is True
        self.state_root_checked += parity.state_root_matches is not None
        self.state_root_matches += parity.state_root_matches is True
        self.seconds += parity.seconds
        self.failures += [
            {
                "file": file,
                "error": f"{difference.what}_mismatch",
                "tx": difference.tx,
                "detail": f"expected {difference.expected}, found {difference.found}",
            }
            for difference in parity.differences
        ]

    def refuse(self, file: str, error: MevError) -> None:
        """Count a block that could not be executed."""
        entry = {"file": file, "error": error.code, "detail": str(error)}
        (self.unsupported if isinstance(error, UnsupportedFork) else self.failures).append(entry)


@app.command()
def parity(
    paths: Annotated[list[Path], typer.Argument(help="block files, folders of them, or captures")],
    engine: Annotated[str, typer.Option(help="py_evm, revm or node")] = "py_evm",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Execute every block on its captured state; compare gas, status, logs and roots."""
    from mev_dagster.evm.engines import get_engine

    totals = Totals()
    chosen = get_engine(engine)
    for path in paths:
        _sweep(path, chosen, totals, quiet=as_json)
    if as_json:
        print_json(vars(totals))
    else:
        _print(totals)
    for entry in totals.unsupported + totals.failures:
        err.print(f"mev: {entry['error']}: {entry['file']}: {entry['detail']}", soft_wrap=True, markup=False)
    raise typer.Exit(1 if totals.failures or totals.unsupported else 0)


def _sweep(path: Path, engine: "SimulationEngine", totals: Totals, *, quiet: bool) -> None:
    from mev_dagster.evm.block_files import block_paths, load_block_file, load_codes
    from mev_dagster.evm.parity import check_file

    files = block_paths(path)
    codes = load_codes(files[0].parent)
    with progress("parity", quiet=quiet) as bar:
        task = bar.add_task("", total=len(files), detail="")
        for file in files:
            bar.update(task, detail=file.name)
            try:
                totals.add(str(file), check_file(load_block_file(file, codes), engine))
            except MevError as error:
                totals.refuse(str(file), error)
            bar.advance(task)


def _print(totals: Totals) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_row("blocks, transactions", f"{totals.blocks:,}, {totals.txs:,}")
    for name in ("gas", "status", "log"):
        count = getattr(totals, f"{name}_mismatches")
        table.add_row(f"{name} mismatches", f"[{'red' if count else 'green'}]{count}[/]")
    table.add_row("receipts roots", f"{totals.receipts_root_matches} of {totals.receipts_root_checked} equal")
    table.add_row("state roots", f"{totals.state_root_matches} of {totals.state_root_checked} equal")
    table.add_row("unsupported, failures", f"{len(totals.unsupported)}, {len(totals.failures)}")
    table.add_row("seconds in the engine", f"{totals.seconds:.1f}")
    out.print(table)
