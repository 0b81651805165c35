"""`mev doctor`: what is installed, reachable and missing, and the command that mends it."""

import importlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from mev_dagster.commands.output import out, print_json

app = typer.Typer(add_completion=False)

ROOT = Path(__file__).resolve().parents[2]


class Finding(NamedTuple):
    """One finding; `required` ones decide the exit status."""

    name: str
    ok: bool
    required: bool
    found: str
    fix: str


def python_version() -> Finding:
    """Python 3.11 or newer."""
    version = sys.version.split()[0]
    return Finding("python", sys.version_info >= (3, 11), True, version, "install Python 3.11 or newer")


def package(name: str, module: str, fix: str, *, required: bool = True) -> Callable[[], Finding]:
    """Return a check that `module` imports."""

    def check() -> Finding:
        try:
            found = getattr(importlib.import_module(module), "__version__", "importable")
        except Exception as error:  # an extension module may fail in any way; the reason is the finding
            return Finding(name, False, required, f"{type(error).__name__}: {error}", fix)
        return Finding(name, True, required, str(found), "")

    return check


def anvil_path() -> str | None:
    """Return the anvil binary installed by npm, or one on PATH."""
    packaged = sorted((ROOT / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil*"))
    return str(packaged[0]) if packaged else shutil.which("anvil")


def binary(
    name: str, find: Callable[[], str | None], arguments: tuple[str, ...], fix: str
) -> Callable[[], Finding]:
    """Return a check that a program is there and answers its version flag."""

    def check() -> Finding:
        path = find()
        if path is None:
            return Finding(name, False, False, "absent", fix)
        try:
            answer = subprocess.run(
                [path, *arguments], capture_output=True, text=True, timeout=20, check=False
            )
        except OSError as error:
            return Finding(name, False, False, str(error), fix)
        words = (answer.stdout or answer.stderr).strip().splitlines()
        return Finding(name, answer.returncode == 0, False, words[0] if words else "no answer", fix)

    return check


def fixtures() -> Finding:
    """Say whether the mainnet data that tests read is there."""
    import os

    folder = Path(os.environ.get("MEV_FIXTURES", ROOT.parent / "shared" / "fixtures"))
    there = (folder / "manifest.json").exists()
    fix = "" if there else "set MEV_FIXTURES to the folder that holds manifest.json"
    return Finding("mainnet fixtures", there, False, "present" if there else "absent", fix)


def node() -> Finding:
    """Say whether the configured execution nodes answer, over HTTP, WebSocket or IPC."""
    import asyncio

    from mev_dagster.errors import MevError
    from mev_dagster.node.control import identify
    from mev_dagster.settings import settings

    told = []
    for one in settings().nodes:
        try:
            found = asyncio.run(identify(one.url))
        except MevError as error:
            return Finding(
                "execution node", False, True, str(error), "start the node, or correct MEV_RPC_URL"
            )
        told.append(f"{one.name}: chain id {found.chain_id}, {found.client_version}")
    return Finding("execution node", True, bool(told), "; ".join(told) or "none configured", "")


CHECKS: tuple[Callable[[], Finding], ...] = (
    python_version,
    package("embedded store (chDB)", "chdb", "make setup"),
    package("ClickHouse client", "clickhouse_connect", "make setup"),
    package("reference EVM (py-evm)", "eth", "make setup"),
    package("keccak (safe-pysha3)", "sha3", "make setup"),
    package("libsecp256k1 (coincurve)", "coincurve", "make setup"),
    package("BLS (arkworks)", "py_arkworks_bls12381", "make setup"),
    package("Dagster", "dagster", "make setup"),
    package("fast EVM (revm wheel)", "mev_native", "make native (needs cargo)", required=False),
    binary("anvil", anvil_path, ("--version",), "install Node.js 20 or newer, then make setup"),
    binary("node.js", lambda: shutil.which("node"), ("--version",), "apt-get install nodejs npm"),
    binary(
        "chromium",
        lambda: shutil.which("chromium"),
        ("--version",),
        "apt-get install chromium (make ui-test)",
    ),
    binary(
        "prometheus",
        lambda: shutil.which("prometheus"),
        ("--version",),
        "apt-get install prometheus prometheus-alertmanager (make test, alerts)",
    ),
    binary("cargo", lambda: shutil.which("cargo"), ("--version",), "install Rust (make native)"),
    fixtures,
    node,
)


@app.command()
def doctor(json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False) -> None:
    """Check the machine; exit 1 when something required is missing."""
    found = [check() for check in CHECKS]
    if json:
        rows = [
            {"name": c.name, "ok": c.ok, "required": c.required, "found": c.found, "fix": c.fix}
            for c in found
        ]
        print_json({"checks": rows, "ok": all(check.ok or not check.required for check in found)})
    else:
        from rich.table import Table

        table = Table(box=None, padding=(0, 2), show_header=False)
        for check in found:
            mark = (
                "[green]ok[/]" if check.ok else ("[red]missing[/]" if check.required else "[yellow]absent[/]")
            )
            table.add_row(
                mark, check.name, check.found, f"[cyan]{check.fix}[/]" if check.fix and not check.ok else ""
            )
        out.print(table)
    raise typer.Exit(0 if all(check.ok or not check.required for check in found) else 1)
