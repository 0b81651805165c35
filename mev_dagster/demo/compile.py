"""Compile the devnet's Vyper contracts: `mev demo compile`.

Vyper is a development dependency; what ships is `contracts/artifacts.json`, which a test compiles anew.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from mev_dagster.errors import InputError

SOURCES = Path(__file__).with_name("contracts")
ARTIFACTS = SOURCES / "artifacts.json"
NAMES = ("weth", "token", "pair", "factory", "router", "executor")


def compile_all() -> dict[str, Any]:
    """Return the artifacts document for every contract, a pure function of the sources and the compiler."""
    try:
        import vyper
    except ImportError as error:
        raise InputError("vyper is not installed; `make setup` installs the development tools") from error
    return {
        "compiler": f"vyper {vyper.__version__}",
        "contracts": {name: _compile(SOURCES / f"{name}.vy") for name in NAMES},
    }


def render(document: dict[str, Any]) -> str:
    """Return the artifacts file's text."""
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def _compile(source: Path) -> dict[str, Any]:
    from vyper.compiler import compile_code

    text = source.read_text()
    compiled = compile_code(
        text,
        contract_path=source.name,
        output_formats=["abi", "bytecode", "bytecode_runtime", "layout"],
        no_bytecode_metadata=True,
    )
    layout = compiled["layout"]
    by_offset = sorted(layout.get("code_layout", {}).items(), key=lambda item: item[1]["offset"])
    return {
        "abi": compiled["abi"],
        "bytecode": compiled["bytecode"],
        "runtime": compiled["bytecode_runtime"],
        "storage_slots": {name: field["slot"] for name, field in layout.get("storage_layout", {}).items()},
        "immutables": [name for name, _ in by_offset],
        "source_sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
