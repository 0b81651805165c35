"""`mev coverage`: lane against lane over the blocks that the store holds."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from mev_dagster.errors import InputError
from mev_dagster.units import NS_PER_MS

if TYPE_CHECKING:
    from mev_dagster.windows.coverage import Coverage, LaneCoverage

app = typer.Typer(add_completion=False)


@app.command()
def coverage(
    first: Annotated[int, typer.Option(min=0, help="first block; the store's oldest if left out")] = 0,
    last: Annotated[
        int | None, typer.Option(min=0, help="last block; the store's newest if left out")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Compare the lanes: who saw which transaction first, alone, before its slot, or never."""
    from mev_dagster.commands import output
    from mev_dagster.settings import settings
    from mev_dagster.store.client import open_store
    from mev_dagster.windows.coverage import LARGEST_NUMBER, measure

    upto = LARGEST_NUMBER if last is None else last
    if upto < first:
        raise InputError(f"--first {first} --last {upto}: expected the first block not to be above the last")
    with open_store(settings()) as store:
        found = measure(store, first=first, last=upto)
    if found is None:
        raise InputError(f"the store holds no ingest window of the blocks {first} to {last or 'its newest'}")
    if json:
        output.print_json(as_json(found))
    else:
        print_coverage(output.out, found)


def as_json(found: "Coverage") -> dict[str, Any]:
    """Return a coverage as the document that `--json` prints."""
    from mev_dagster.windows.coverage import milliseconds

    return {
        "first": found.first,
        "last": found.last,
        "blocks": found.blocks,
        "synthetic": found.synthetic,
        "lanes": [
            {
                "lane": one.lane,
                "sightings": one.sightings,
                "seen": one.seen,
                "exclusive": one.exclusive,
                "seen_first": one.seen_first,
                "first_seen_share": found.first_seen_share(one),
                "included": one.included,
                "landed_share": one.landed_share,
                "before_slot": one.before_slot,
                "after_slot": one.after_slot,
                "never_seen": one.never_seen,
            }
            for one in found.lanes
        ],
        "pairs": [
            {
                "a": one.lane,
                "b": one.other,
                "shared": one.shared,
                "a_first": one.seen_first,
                "median_ms": milliseconds(one.median_lead_ns),
                "p95_ms": milliseconds(one.p95_lead_ns),
            }
            for one in found.pairs
        ],
        "seen": found.together.seen,
        "landed": found.together.included + found.together.never_seen,
        "before_slot": found.together.before_slot,
        "after_slot": found.together.after_slot,
        "never_seen": found.together.never_seen,
    }


def print_coverage(console: Console, found: "Coverage") -> None:
    """Print a table of the lanes and, where there are several, one of how they compare."""
    made = "; some arrival times were made by a rule" if found.synthetic else ""
    console.print(f"{found.blocks:,} blocks, {found.first} to {found.last}{made}")
    lanes = Table("lane", *("sightings", "transactions", "only here", "first here", "landed ones seen"))
    for one in found.lanes:
        lanes.add_row(
            one.lane,
            f"{one.sightings:,}",
            f"{one.seen:,}",
            f"{one.exclusive:,}",
            f"{one.seen_first:,} ({_percent(found.first_seen_share(one))})",
            f"{one.included:,} ({_percent(one.landed_share)})",
        )
    console.print(lanes)
    if found.pairs:
        console.print(_compared(found.pairs))
    together = found.together
    console.print(
        f"of the {together.included + together.never_seen:,} transactions that landed, "
        f"{together.before_slot:,} were seen before their slot, {together.after_slot:,} within it, "
        f"{together.never_seen:,} never"
    )


def _compared(pairs: "tuple[LaneCoverage, ...]") -> Table:
    table = Table("lane", "against", "both saw", "first here", "median lead", "p95 lead")
    for one in pairs:
        table.add_row(
            one.lane,
            one.other,
            f"{one.shared:,}",
            f"{one.seen_first:,}",
            _lead(one.median_lead_ns),
            _lead(one.p95_lead_ns),
        )
    return table


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _lead(lead_ns: int | None) -> str:
    return "-" if lead_ns is None else f"{lead_ns / NS_PER_MS:,.1f} ms"
