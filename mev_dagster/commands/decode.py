"""`mev decode FILE`: raw transactions, one hex a line, to one JSON object a line."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.lines import MAX_LINE_BYTES, decode_line
from mev_dagster.commands.output import print_json
from mev_dagster.errors import DecodeError, InputError

app = typer.Typer(add_completion=False)


def read_lines(stream: BinaryIO, *, limit: int = MAX_LINE_BYTES + 1) -> Iterator[tuple[int, bytes]]:
    """Yield (line number, stripped line) for lines that are not blank.

    Of a line longer than `limit` only the first `limit` bytes are kept; the rest is read in pieces and
    dropped, so that no input makes this process large.
    """
    number = 0
    while line := stream.readline(limit):
        number += 1
        piece = line
        while len(piece) == limit and not piece.endswith(b"\n"):
            piece = stream.readline(limit)
        if len(line) == limit or line.strip():
            yield number, line if len(line) == limit else line.strip()


def _open(file: Path, stack: ExitStack) -> BinaryIO:
    if str(file) == "-":
        return sys.stdin.buffer
    try:
        return stack.enter_context(file.open("rb"))
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from error


def _fork(name: str | None) -> Fork | None:
    if name is None:
        return None
    try:
        return Fork[name.upper()]
    except KeyError:
        known = ", ".join(fork.name.lower() for fork in Fork)
        raise InputError(f"no fork '{name}'; known: {known}") from None


@app.command()
def decode(
    file: Annotated[Path, typer.Argument(help="one raw transaction in hex a line; - reads stdin")],
    fork: Annotated[
        str | None, typer.Option(help="judge by this fork's rules; default: accept what some fork accepts")
    ] = None,
    chain_id: Annotated[int | None, typer.Option(help="refuse transactions signed for another chain")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="changes nothing: the output is JSON lines anyway")
    ] = False,
) -> None:
    """Print one JSON object a line: the transaction, or line, error and detail of a line that is none.

    Blank lines are skipped but counted. Ends with 1 when a line was refused.
    """
    rules = _fork(fork)
    refused = 0
    with ExitStack() as stack:
        stream = _open(file, stack)
        try:
            for number, line in read_lines(stream):
                try:
                    print_json(decode_line(line, fork=rules, chain_id=chain_id))
                except DecodeError as error:
                    refused += 1
                    print_json({"line": number, "error": error.reason, "detail": error.detail})
                if stream is sys.stdin.buffer:
                    sys.stdout.flush()  # whoever feeds us line by line waits for the answer
            sys.stdout.flush()
        except BrokenPipeError:  # the reader has seen enough (`mev decode FILE | head`)
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
    if refused:
        raise typer.Exit(1)
