"""How commands speak: one JSON document on stdout, or rich text for people."""

import sys
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mev_dagster.hexadecimal import to_hex

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def jsonable(value: Any) -> Any:
    """Return `value` with bytes as 0x-hex, so that any result can be printed as JSON."""
    if isinstance(value, bytes | bytearray | memoryview):
        return to_hex(bytes(value))
    if isinstance(value, dict):
        return {str(jsonable(key)): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    return value


def print_json(document: Any) -> None:
    """Write one JSON document, and nothing else, to stdout. Integers keep every digit."""
    import json

    json.dump(jsonable(document), sys.stdout, indent=None, separators=(",", ":"), default=msgspec.to_builtins)
    sys.stdout.write("\n")


def progress(description: str, *, quiet: bool = False) -> Progress:
    """Return a progress bar on stderr; silent when `quiet` or when stderr is no terminal."""
    return Progress(
        TextColumn(f"{description} {{task.fields[detail]}}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        disable=quiet or not err.is_terminal,
        transient=True,
    )
