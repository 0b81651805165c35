"""`mev label`: the MEV that landed in blocks."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mev_dagster.errors import InputError, MevError
from mev_dagster.hexadecimal import from_hex

if TYPE_CHECKING:
    from mev_dagster.labels.label import BlockLabels
    from mev_dagster.labels.landed import LandedBlock

app = typer.Typer(add_completion=False)


@app.command()
def label(
    paths: Annotated[list[Path], typer.Argument(help="block files, folders of them, or captures")],
    score: Annotated[Path | None, typer.Option(help="folder of labels to compare with")] = None,
    explain: Annotated[str | None, typer.Option(help="show the evidence for this transaction hash")] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            help="execute the blocks with this engine, for its calls and its payments to the coinbase"
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Label swaps, arbitrages, sandwiches, liquidations and just-in-time liquidity."""
    from mev_dagster.commands import output
    from mev_dagster.evm.engines import get_engine
    from mev_dagster.evm.types import Want
    from mev_dagster.labels import report
    from mev_dagster.labels.explain import explain as explain_tx
    from mev_dagster.labels.explain import print_explained
    from mev_dagster.labels.gold import Gold, judge, read_gold
    from mev_dagster.labels.score import read_silver
    from mev_dagster.labels.score import score as compare
    from mev_dagster.labels.sources import landed_blocks

    wanted = _hash(explain) if explain else None
    silver = read_silver(score) if score else None
    read = _Read()
    executing = get_engine(engine, want=Want(calls=True)) if engine else None
    labelled = read.labels(landed_blocks(paths, executing, read.left_out), quiet=json)
    evidence = next((found for one in labelled if wanted and (found := explain_tx(one, wanted))), None)
    if wanted and evidence is None:
        raise InputError(f"no transaction {explain} in these blocks")
    compared = compare(labelled, silver) if silver is not None else None
    gold = judge(labelled, read_gold(score)) if score else Gold(0, 0)
    if json:
        scored = report.score_to_json(compared, gold) if compared else {}
        explained = {"explain": evidence} if evidence else {}
        output.print_json({**read.document(labelled), **scored, **explained})
    elif wanted is not None:
        for labels in labelled:
            print_explained(output.out, labels, wanted)
    else:
        report.print_labels(output.out, labelled)
        if compared is not None:
            report.print_score(output.out, compared, gold)
        output.out.print(read.summary(labelled))
    raise typer.Exit(1 if read.failures else 0)


@dataclass
class _Read:
    """What was read: which files could not be used, which hold something else, and how long labels took."""

    failures: list[dict[str, str]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    seconds: float = 0.0

    def left_out(self, path: Path, failure: MevError) -> None:
        """Keep a file that cannot be used; the others go on."""
        from mev_dagster.labels.traces import NoCalls

        entry = {"file": str(path), "error": failure.code, "detail": str(failure)}
        if isinstance(failure, NoCalls):
            self.skipped.append(entry)
        else:
            self.failures.append(entry)

    def labels(self, blocks: "Iterable[LandedBlock]", *, quiet: bool) -> "list[BlockLabels]":
        """Label the blocks one by one."""
        from mev_dagster.commands import output
        from mev_dagster.labels.label import label_block

        labelled = []
        with output.progress("labelling", quiet=quiet) as bar:
            task = bar.add_task("", total=None, detail="")
            for block in blocks:
                started = time.perf_counter()
                labelled.append(label_block(block))
                self.seconds += time.perf_counter() - started
                bar.update(task, advance=1, detail=f"block {block.number}")
        if not labelled:
            said = [one["detail"] for one in (*self.failures, *self.skipped)]
            raise InputError(said[0] if said else "no block with receipts there")
        for one in self.failures:
            output.err.print(f"mev: {one['error']}: {one['detail']}", soft_wrap=True, markup=False)
        return labelled

    def document(self, labelled: "list[BlockLabels]") -> dict[str, Any]:
        """Return what `--json` prints of every run."""
        from mev_dagster.labels import report

        return {
            "blocks": [report.labels_to_json(labels) for labels in labelled],
            "txs": sum(len(labels.block.txs) for labels in labelled),
            "swap_events": _events(labelled),
            "failures": self.failures,
            "skipped": self.skipped,
            "seconds": round(self.seconds, 6),
        }

    def summary(self, labelled: "list[BlockLabels]") -> str:
        """Return the last line."""
        events, txs = _events(labelled), sum(len(labels.block.txs) for labels in labelled)
        told = f"{events['told']} of {events['seen']} swap events told"
        left_out = f", {len(self.failures)} files could not be used" if self.failures else ""
        return f"{len(labelled)} blocks, {txs} transactions, {told}, {self.seconds:.3f} s{left_out}"


def _events(labelled: "list[BlockLabels]") -> dict[str, int]:
    from mev_dagster.labels.swaps import swap_events

    return {
        "told": sum(len(labels.swaps) for labels in labelled),
        "seen": sum(swap_events(labels.block) for labels in labelled),
    }


def _hash(text: str) -> bytes:
    try:
        return from_hex(text, 32)
    except ValueError:
        raise InputError(f"--explain {text}: expected a transaction hash of 32 bytes in hex") from None
