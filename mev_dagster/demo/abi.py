"""Encode calls by the contract ABI (Solidity's ABI specification, the parts our contracts use)."""

from collections.abc import Mapping, Sequence
from typing import Any

from mev_dagster.chain.keccak import keccak
from mev_dagster.errors import InputError

Entry = Mapping[str, Any]


def type_of(parameter: Entry) -> str:
    """Return the canonical type of an ABI parameter, tuples spelled out: `(address,uint256)[]`."""
    declared = str(parameter["type"])
    if not declared.startswith("tuple"):
        return declared
    inner = ",".join(type_of(component) for component in parameter["components"])
    return f"({inner}){declared.removeprefix('tuple')}"


def signature(entry: Entry) -> str:
    """Return `name(type,...)` of a function, event or error."""
    return f"{entry['name']}({','.join(type_of(parameter) for parameter in entry['inputs'])})"


def selector(entry: Entry) -> bytes:
    """Return the four bytes that name a function in calldata."""
    return keccak(signature(entry).encode())[:4]


def topic(entry: Entry) -> bytes:
    """Return the topic that names an event in a log."""
    return keccak(signature(entry).encode())


def encode(types: Sequence[str], values: Sequence[Any]) -> bytes:
    """Encode `values` as the argument tuple `types`."""
    if len(types) != len(values):
        raise InputError(f"ABI: {len(types)} arguments expected ({','.join(types)}), {len(values)} given")
    head_size = sum(_head_size(kind) for kind in types)
    head, tail = b"", b""
    for kind, value in zip(types, values, strict=True):
        encoded = _encode_one(kind, value)
        if _dynamic(kind):
            head += (head_size + len(tail)).to_bytes(32, "big")
            tail += encoded
        else:
            head += encoded
    return head + tail


def _encode_one(kind: str, value: Any) -> bytes:
    if kind.endswith("[]"):
        items = list(value)
        return len(items).to_bytes(32, "big") + encode([kind[:-2]] * len(items), items)
    if kind.startswith("("):
        return encode(_components(kind), value)
    if kind in {"bytes", "string"}:
        raw = value.encode() if isinstance(value, str) else bytes(value)
        return len(raw).to_bytes(32, "big") + raw + bytes(-len(raw) % 32)
    if kind == "address":
        if len(value) != 20:
            raise InputError(f"ABI: an address has 20 bytes, found {len(value)}")
        return bytes(12) + bytes(value)
    if kind.startswith("bytes"):
        return bytes(value).ljust(32, b"\0")
    if kind == "bool":
        return int(bool(value)).to_bytes(32, "big")
    if kind.startswith("uint"):
        if not 0 <= value < 1 << int(kind[4:]):
            raise InputError(f"ABI: {value} does not fit {kind}")
        return int(value).to_bytes(32, "big")
    if kind.startswith("int"):
        if not -1 << int(kind[3:]) - 1 <= value < 1 << int(kind[3:]) - 1:
            raise InputError(f"ABI: {value} does not fit {kind}")
        return int(value).to_bytes(32, "big", signed=True)
    raise InputError(f"ABI: type {kind} is not supported")


def _components(kind: str) -> list[str]:
    """Split `(a,(b,c),d)` at its own commas."""
    parts, depth, current = [], 0, ""
    for character in kind[1:-1]:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += character
    return [*parts, current]


def _dynamic(kind: str) -> bool:
    if kind.startswith("(") and kind.endswith(")"):
        return any(_dynamic(component) for component in _components(kind))
    return kind in {"bytes", "string"} or kind.endswith("[]")


def _head_size(kind: str) -> int:
    if kind.startswith("(") and not _dynamic(kind):
        return sum(_head_size(component) for component in _components(kind))
    return 32
