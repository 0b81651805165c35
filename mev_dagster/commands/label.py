"""`mev label`: the MEV that landed in blocks."""

from pathlib import Path
from typing import Annotated

import typer

from mev_dagster.hexadecimal import from_hex

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
    import time

    from mev_dagster.commands import output
    from mev_dagster.errors import InputError
    from mev_dagster.evm.engines import get_engine
    from mev_dagster.evm.types import Want
    from mev_dagster.labels import report
    from mev_dagster.labels.explain import explain as explain_tx
    from mev_dagster.labels.explain import print_explained
    from mev_dagster.labels.gold import Gold, judge, read_gold
    from mev_dagster.labels.label import label_block
    from mev_dagster.labels.score import read_silver
    from mev_dagster.labels.score import score as compare
    from mev_dagster.labels.sources import landed_blocks
    from mev_dagster.labels.swaps import swap_events

    wanted = _hash(explain) if explain else None
    silver = read_silver(score) if score else None
    labelled, seconds = [], 0.0
    with output.progress("labelling", quiet=json) as bar:
        task = bar.add_task("", total=None, detail="")
        for block in landed_blocks(paths, get_engine(engine, want=Want(calls=True)) if engine else None):
            started = time.perf_counter()
            labelled.append(label_block(block))
            seconds += time.perf_counter() - started
            bar.update(task, advance=1, detail=f"block {block.number}")
    if not labelled:
        raise InputError("no block with receipts there")
    evidence = next((found for one in labelled if wanted and (found := explain_tx(one, wanted))), None)
    if wanted and evidence is None:
        raise InputError(f"no transaction {explain} in these blocks")
    events = {
        "told": sum(len(labels.swaps) for labels in labelled),
        "seen": sum(swap_events(labels.block) for labels in labelled),
    }
    document = {
        "blocks": [report.labels_to_json(labels) for labels in labelled],
        "txs": sum(len(labels.block.txs) for labels in labelled),
        "swap_events": events,
        "seconds": round(seconds, 6),
    }
    compared = compare(labelled, silver) if silver is not None else None
    gold = judge(labelled, read_gold(score)) if score else Gold(0, 0)
    if json:
        scored = report.score_to_json(compared, gold) if compared else {}
        output.print_json({**document, **scored, **({"explain": evidence} if evidence else {})})
        return
    if wanted is not None:
        for labels in labelled:
            print_explained(output.out, labels, wanted)
        return
    report.print_labels(output.out, labelled)
    if compared is not None:
        report.print_score(output.out, compared)
    said = f"{events['told']} of {events['seen']} swap events told"
    output.out.print(f"{len(labelled)} blocks, {document['txs']} transactions, {said}, {seconds:.3f} s")


def _hash(text: str) -> bytes:
    from mev_dagster.errors import InputError

    try:
        return from_hex(text, 32)
    except ValueError:
        raise InputError(f"--explain {text}: expected a transaction hash of 32 bytes in hex") from None
