"""The compiled contracts that ship with the package: what to deploy and how to call it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import msgspec

from mev_dagster.demo import abi
from mev_dagster.errors import InputError
from mev_dagster.hexadecimal import from_hex

# ERC-5202: code that cannot be called, which a factory copies behind a creation prefix.
BLUEPRINT_PREAMBLE = bytes.fromhex("fe7100")


@dataclass(frozen=True, slots=True)
class Contract:
    """One compiled contract.

    `runtime` lacks the words its constructor appends to the deployed code, one for each of `immutables`.
    """

    name: str
    abi: tuple[Mapping[str, Any], ...]
    bytecode: bytes
    runtime: bytes
    storage_slots: Mapping[str, int]
    immutables: tuple[str, ...]
    source_sha256: str

    def entry(self, name: str, kind: str = "function") -> Mapping[str, Any]:
        """Return the ABI entry of a function or an event."""
        for entry in self.abi:
            if entry["type"] == kind and entry.get("name") == name:
                return entry
        raise InputError(f"contract {self.name} has no {kind} {name}")

    def call(self, function: str, *arguments: Any) -> bytes:
        """Return the calldata that calls `function`."""
        entry = self.entry(function)
        return abi.selector(entry) + abi.encode([abi.type_of(p) for p in entry["inputs"]], arguments)

    def topic(self, event: str) -> bytes:
        """Return the first topic of an event's logs."""
        return abi.topic(self.entry(event, "event"))

    def creation(self, *arguments: Any) -> bytes:
        """Return the creation code with its constructor arguments."""
        constructor = next((entry for entry in self.abi if entry["type"] == "constructor"), None)
        types = [abi.type_of(p) for p in constructor["inputs"]] if constructor else []
        return self.bytecode + abi.encode(types, arguments)

    def blueprint(self) -> bytes:
        """Return creation code that deploys this contract's creation code as an ERC-5202 blueprint."""
        body = BLUEPRINT_PREAMBLE + self.bytecode
        # PUSH2 size, RETURNDATASIZE, DUP2, PUSH1 10, RETURNDATASIZE, CODECOPY, RETURN: return what follows.
        return b"\x61" + len(body).to_bytes(2, "big") + bytes.fromhex("3d81600a3d39f3") + body


@lru_cache(maxsize=1)
def contracts() -> Mapping[str, Contract]:
    """Return the shipped contracts by name."""
    raw = files("mev_dagster.demo").joinpath("contracts", "artifacts.json").read_bytes()
    return {name: _contract(name, fields) for name, fields in msgspec.json.decode(raw)["contracts"].items()}


def _contract(name: str, fields: Mapping[str, Any]) -> Contract:
    return Contract(
        name=name,
        abi=tuple(fields["abi"]),
        bytecode=from_hex(fields["bytecode"]),
        runtime=from_hex(fields["runtime"]),
        storage_slots=fields["storage_slots"],
        immutables=tuple(fields["immutables"]),
        source_sha256=fields["source_sha256"],
    )
