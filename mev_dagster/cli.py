"""The `mev` command: a table of contents. Each command lives in its own file under `commands/`.

A command module is imported only when its command runs, so `mev decode` never loads Dagster or chDB.
Exit status: 0 holds, 1 the check or job failed, 2 bad usage or bad input.
"""

import os
import sys
from importlib import import_module, metadata
from importlib.util import find_spec

import typer
from rich.console import Console
from rich.table import Table

from mev_dagster.errors import plain_refusals

# command name -> (module under mev_dagster.commands, one-line help). The module's `app` is a Typer app.
COMMANDS: dict[str, tuple[str, str]] = {
    "backtest": ("backtest", "score ex-ante candidates against what landed"),
    "bench": ("bench", "measure against peers and limits in the same run"),
    "capture": ("capture", "record, import and verify self-contained windows of chain and mempool"),
    "chaos": ("chaos", "fault drills: peers, node, store and daemon broken under traffic"),
    "coverage": ("coverage", "compare lanes: first seen, delay, exclusive, included"),
    "decode": ("decode", "decode raw transactions, one hex a line"),
    "demo": ("demo", "the whole loop, offline, on the shipped capture"),
    "doctor": ("doctor", "say what is installed, reachable, missing, and how to mend it"),
    "down": ("down", "stop every process of the platform"),
    "events": ("events", "verify and inspect an event log"),
    "ingest": ("ingest", "run the ingest daemon in the foreground"),
    "label": ("label", "label the MEV that landed in blocks"),
    "p2p": ("p2p", "talk devp2p: probe a peer, serve as one"),
    "parity": ("parity", "execute blocks and compare with their receipts"),
    "pools": ("pools", "the pool book: load it from a node, show what it holds"),
    "relay": ("relay", "sandbox relay, submission checks, dry-run submit"),
    "replay": ("replay", "replay an event log and compare digests"),
    "report": ("report", "one page of what an hour or a day came to, with plots and traces"),
    "search": ("search", "ranked ex-ante candidates of a capture"),
    "simulate": ("simulate", "execute a block or transaction on its captured prestate"),
    "soak": (
        "soak",
        "load over time: devp2p peers under churn, the platform behind a devnet, and what was lost",
    ),
    "status": ("status", "show every process and the block-to-opportunity lag"),
    "store": ("store", "schema, backfill, retention and integrity of the store"),
    "up": ("up", "start every process of the platform"),
}


def available() -> dict[str, tuple[str, str]]:
    """Return the commands whose module is installed."""
    return {
        name: entry
        for name, entry in sorted(COMMANDS.items())
        if find_spec(f"mev_dagster.commands.{entry[0]}") is not None
    }


def print_help(console: Console) -> None:
    """Print the table of contents."""
    table = Table(box=None, show_header=False, padding=(0, 2))
    for name, (_, help_line) in available().items():
        table.add_row(f"[bold cyan]{name}[/]", help_line)
    console.print("Usage: [bold]mev[/] [--profile FILE] COMMAND [ARGS]...   (mev COMMAND --help for each)\n")
    console.print("Ethereum mempool and MEV research, and dry-run block building.\n")
    console.print(table)


def _is_told_something() -> bool:
    """Whether there are settings to check; loading them takes longer than `mev decode` does."""
    named = any(name.upper().startswith("MEV_") for name in os.environ)
    return named or any(os.path.exists(file) for file in (".env", "mev.toml"))


def _with_profile(arguments: list[str]) -> list[str]:
    """Take `--profile FILE` off the arguments; this process and its children read that file."""
    for position, argument in enumerate(arguments):
        option, joined, value = argument.partition("=")
        if option != "--profile":
            continue
        rest = arguments[position + 1 :]
        if not joined:
            if not rest:
                print("mev: --profile needs a file", file=sys.stderr)
                sys.exit(2)
            value, rest = rest[0], rest[1:]
        os.environ["MEV_PROFILE"] = os.path.abspath(value)
        return [*arguments[:position], *rest]
    return arguments


def main(argv: list[str] | None = None) -> None:
    """Run one command; turn every expected failure into one clear line and an exit status."""
    arguments = _with_profile(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print_help(Console())
        sys.exit(0 if arguments else 2)
    if arguments[0] == "--version":
        print(f"mev, version {metadata.version('mev_dagster')}")
        sys.exit(0)
    name, rest = arguments[0], arguments[1:]
    commands = available()
    if name not in commands:
        Console(stderr=True).print(f"mev: no command '{name}'; `mev --help` lists them", highlight=False)
        sys.exit(2)
    if _is_told_something():
        from mev_dagster.settings import settings

        with plain_refusals():
            settings()  # a name or value that cannot be used is refused, also where the command reads none
    module = import_module(f"mev_dagster.commands.{commands[name][0]}")
    with plain_refusals():
        typer.main.get_command(module.app)(args=rest, prog_name=f"mev {name}")
