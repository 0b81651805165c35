"""`mev pools`: the pool book, loaded from a node and shown."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mev_dagster.dex.book import PoolBook

BOOK = Path(".mev/pools/book.jsonl")

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def pools() -> None:
    """All pools the project knows, with their state at a block."""


@app.command()
def sync(
    rpc: Annotated[str, typer.Option(help="a node's HTTP endpoint")],
    first: Annotated[int, typer.Option("--from", min=0, help="first block whose logs are searched")] = 0,
    last: Annotated[int | None, typer.Option("--to", min=0, help="block to stand behind; the head")] = None,
    book: Annotated[Path, typer.Option(help="the book's file")] = BOOK,
    json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Load every pool that factories and trades have named; interrupted, it goes on when run again."""
    import time

    from mev_dagster.commands import output
    from mev_dagster.node.http import JsonRpc
    from mev_dagster.search.pool_sync import sync as load

    started = time.perf_counter()
    with JsonRpc(rpc, timeout_seconds=60) as node, output.progress("loading", quiet=json) as bar:
        task = bar.add_task("", total=None, detail="")
        found = load(
            node,
            book,
            first=first,
            last=last,
            on_progress=lambda what, done, total: bar.update(task, completed=done, total=total, detail=what),
        )
        requests = node.requests
    _print(found, json, seconds=time.perf_counter() - started, requests=requests)


@app.command()
def show(
    book: Annotated[Path, typer.Option(help="the book's file")] = BOOK,
    json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Say what a book holds."""
    import time

    from mev_dagster.dex.book_file import load

    started = time.perf_counter()
    found, _ = load(book)
    _print(found, json, seconds=time.perf_counter() - started)


def _print(found: "PoolBook", json: bool, **more: float) -> None:
    from collections import Counter

    from mev_dagster.commands import output

    pools = found.searchable()
    families = dict(sorted(Counter(pool.family for pool in pools).items()))
    document = {
        "pools": len(pools),
        "venues": families,
        "unread": len(found.wanted) + len(found.doubts),
        "block": found.number,
        "block_hash": found.block_hash,
        "digest": found.digest(),
        **more,
    }
    if json:
        output.print_json(document)
        return
    of = ", ".join(f"{count} {family}" for family, count in families.items()) or "none"
    output.out.print(
        f"{len(pools)} pools behind block {found.number}: {of}; {document['unread']} more could not be read"
    )
