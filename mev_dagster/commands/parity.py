"""`mev parity`: execute blocks and compare with what their network has."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
from rich.table import Table

from mev_dagster.commands.output import err, out, print_json, progress
from mev_dagster.errors import MevError, UnsupportedFork

if TYPE_CHECKING:
    from mev_dagster.evm.block_files import BlockFile
    from mev_dagster.evm.parity import BlockParity
    from mev_dagster.evm.t8n_files import T8nFile
    from mev_dagster.evm.types import SimulationEngine

app = typer.Typer(add_completion=False)

NamedBlock: TypeAlias = "tuple[str, Callable[[], BlockFile | T8nFile]]"

BLOCKS_EXPLAINED = 3
"""An engine that is wrong on every block says so once; tracing takes longer than executing."""


@dataclass
class Totals:
    """What the sweep has found so far; field names are the keys of `--json`, but for `exit_status`."""

    blocks: int = 0
    txs: int = 0
    gas_mismatches: int = 0
    status_mismatches: int = 0
    log_mismatches: int = 0
    receipts_root_matches: int = 0
    receipts_root_checked: int = 0
    state_root_matches: int = 0
    state_root_checked: int = 0
    access_list_matches: int = 0
    access_list_checked: int = 0
    unsupported: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    exit_status: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the document that `--json` prints."""
        return {key: value for key, value in vars(self).items() if key != "exit_status"}

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
        self.access_list_checked += parity.access_list_matches is not None
        self.access_list_matches += parity.access_list_matches is True
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
        if parity.differences:
            self.exit_status = 1

    @property
    def explained(self) -> int:
        """How many blocks have been looked into."""
        return sum("explanation" in failure for failure in self.failures)

    def explain(self, index: int, explanation: str) -> None:
        """Say at a failure where the engines part on its block."""
        self.failures[index]["explanation"] = explanation

    def refuse(self, file: str, error: MevError) -> None:
        """Count a block that could not be executed. A mismatch outweighs bad input in the exit status."""
        entry = {"file": file, "error": error.code, "detail": str(error)}
        (self.unsupported if isinstance(error, UnsupportedFork) else self.failures).append(entry)
        if self.exit_status != 1:
            self.exit_status = error.exit_status


@app.command()
def parity(
    paths: Annotated[list[Path], typer.Argument(help="block files, folders of them, or captures")],
    engine: Annotated[str, typer.Option(help="auto, py_evm, revm or node")] = "py_evm",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Execute every block on its captured state; compare gas, status, logs and roots."""
    from mev_dagster.evm.engines import get_engine

    totals = Totals()
    chosen = get_engine(engine)
    for path in paths:
        _sweep(path, chosen, totals, quiet=as_json)
    if as_json:
        print_json(totals.as_json())
    else:
        _print(totals)
    for entry in totals.unsupported + totals.failures:
        err.print(f"mev: {entry['error']}: {entry['file']}: {entry['detail']}", soft_wrap=True, markup=False)
        if "explanation" in entry:
            err.print(f"mev: {entry['explanation']}", soft_wrap=True, markup=False)
    raise typer.Exit(totals.exit_status)


def _sweep(path: Path, engine: "SimulationEngine", totals: Totals, *, quiet: bool) -> None:
    from mev_dagster.evm.parity import check_file
    from mev_dagster.evm.t8n_files import T8nFile, check_t8n

    is_capture = (path / "capture.json").is_file()
    blocks = _blocks_of_capture(path) if is_capture else _blocks_of_files(path)
    with progress("parity", quiet=quiet) as bar:
        task = bar.add_task("", total=len(blocks), detail="")
        for name, load in blocks:
            bar.update(task, detail=name)
            before, block = len(totals.failures), None
            try:
                found = load()
                if isinstance(found, T8nFile):
                    totals.add(name, check_t8n(found, engine))
                else:
                    block = found
                    totals.add(name, check_file(block, engine))
            except MevError as error:
                totals.refuse(name, error)
            if block is not None and len(totals.failures) > before and totals.explained < BLOCKS_EXPLAINED:
                totals.explain(before, _explained(block))
            bar.advance(task)


def _explained(block: "BlockFile") -> str:
    from mev_dagster.evm.explain import explain

    try:
        return explain(block)
    except MevError as error:
        return f"not executed far enough to compare the engines: {error}"


def _blocks_of_files(path: Path) -> list[NamedBlock]:
    from mev_dagster.evm.block_files import block_paths, load_block_file, load_codes, read_document
    from mev_dagster.evm.t8n_files import is_t8n, load_t8n_file

    files = block_paths(path)
    codes = load_codes(files[0].parent)

    def load(file: Path) -> "BlockFile | T8nFile":
        document = read_document(file)
        return load_t8n_file(file, document) if is_t8n(document) else load_block_file(file, codes, document)

    return [(str(file), partial(load, file)) for file in files]


def _blocks_of_capture(path: Path) -> list[NamedBlock]:
    from mev_dagster.captures.format import open_capture
    from mev_dagster.evm.block_files import BlockFile

    capture = open_capture(path)

    def load(number: int) -> BlockFile:
        return BlockFile(
            path=path,
            chain_id=capture.chain_id,
            block=capture.block(number),
            prestate=capture.prestate(number),
            expected=capture.receipts(number),
            witness=None,
        )

    numbers = [number for number in capture.numbers if capture.has_prestate(number)]
    return [(f"{path}: block {number}", partial(load, number)) for number in numbers]


def _print(totals: Totals) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_row("blocks, transactions", f"{totals.blocks:,}, {totals.txs:,}")
    for name in ("gas", "status", "log"):
        count = getattr(totals, f"{name}_mismatches")
        table.add_row(f"{name} mismatches", f"[{'red' if count else 'green'}]{count}[/]")
    table.add_row("receipts roots", f"{totals.receipts_root_matches} of {totals.receipts_root_checked} equal")
    table.add_row("state roots", f"{totals.state_root_matches} of {totals.state_root_checked} equal")
    table.add_row("access lists", f"{totals.access_list_matches} of {totals.access_list_checked} equal")
    table.add_row("unsupported, failures", f"{len(totals.unsupported)}, {len(totals.failures)}")
    table.add_row("seconds in the engine", f"{totals.seconds:.1f}")
    out.print(table)
