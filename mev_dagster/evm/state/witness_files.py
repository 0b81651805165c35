"""Execution witnesses as others write them, read into ours; and ours as they read it.

- `debug_executionWitness` of reth and geth, and what provers store of it: `state` and `codes` as lists,
  `keys` with the preimages or without, `headers` (or `ancestors`) as RLP or as JSON objects, or none at all;
- its older form, with `state` and `codes` as objects by hash;
- either inside a JSON-RPC answer, or under `witness`.

What is stated under a hash must have it. A list states none: what is wrong there is missing when needed.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mev_dagster.chain.blocks import Header, decode_header, encode_header, header_hash
from mev_dagster.chain.jsonrpc import header_from_rpc
from mev_dagster.chain.keccak import keccak
from mev_dagster.errors import InputError
from mev_dagster.evm.state.partial_trie import root_of_nodes
from mev_dagster.evm.state.witness import Witness
from mev_dagster.hexadecimal import from_hex, to_hex

_WRAPPERS = ("result", "witness", "executionWitness")
_HEADERS = ("headers", "ancestors", "ancestor_headers", "ancestorHeaders")


def witness_from_json(document: Any, *, parent: Header | None = None) -> Witness:
    """Read a witness in any of the forms; `parent` is the parent's header where the witness has none.

    Without either, the state root is the one node that no other refers to: what is executed on it then is
    proven against each other, and against nothing outside (`Witness.anchored`).
    """
    found = _unwrapped(document)
    try:
        nodes = _by_hash(found["state"], "state")
        codes = _by_hash(found["codes"] or (), "codes")  # geth writes null where there are none
        keys = tuple(_contents(found.get("keys") or (), "keys"))
        headers = [_header(entry) for entry in _listed_headers(found)]
    except KeyError as error:
        raise InputError(f"witness: {error.args[0]}: missing") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"witness: {type(error).__name__}: {error}") from error
    if parent is not None and all(header_hash(header) != header_hash(parent) for header in headers):
        headers.append(parent)
    if not headers:
        return Witness(root_of_nodes(nodes), nodes, codes, {}, preimages=keys)
    newest = parent or max(headers, key=lambda header: header.number)
    hashes = _linked(newest, headers)
    return Witness(newest.state_root, nodes, codes, hashes, ancestors=tuple(headers), preimages=keys)


def _linked(newest: Header, headers: Sequence[Header]) -> dict[int, bytes]:
    """Return the ancestors' hashes by number; each is proven by the header above it, whatever their order."""
    by_hash = {header_hash(header): header for header in headers}
    hashes, at = {}, newest
    by_hash.pop(header_hash(newest), None)
    while True:
        hashes[at.number] = header_hash(at)
        above = by_hash.pop(at.parent_hash, None)
        if above is None or above.number != at.number - 1:
            break
        at = above
    # What is newer than the parent is the block itself, which some provers add; it is no ancestor.
    apart = [header.number for header in by_hash.values() if header.number <= newest.number]
    if apart:
        raise InputError(
            f"witness: headers: block {max(apart)} is no ancestor of block {newest.number} "
            "by the headers given"
        )
    return hashes


def witness_to_json(witness: Witness) -> dict[str, Any]:
    """Return a witness as `debug_executionWitness` answers it: sorted lists, headers as RLP, oldest first."""
    headers = sorted(witness.ancestors, key=lambda header: header.number)
    return {
        "state": [to_hex(node) for node in sorted(witness.nodes.values())],
        "codes": [to_hex(code) for code in sorted(witness.codes.values())],
        "keys": [to_hex(key) for key in sorted(witness.preimages)],
        "headers": [to_hex(encode_header(header)) for header in headers],
    }


def _unwrapped(document: Any) -> Mapping[str, Any]:
    for _ in _WRAPPERS:
        if isinstance(document, Mapping) and "state" not in document:
            document = next((document[name] for name in _WRAPPERS if name in document), document)
    if not isinstance(document, Mapping):
        raise InputError(f"witness: expected an object, found {document!r:.60}")
    return document


def _by_hash(held: Any, what: str) -> dict[bytes, bytes]:
    if not isinstance(held, Mapping):
        return {keccak(content): content for content in _contents(held, what)}
    found = {from_hex(stated): from_hex(text) for stated, text in held.items()}
    for stated, content in found.items():
        if keccak(content) != stated:
            raise InputError(f"witness: {what}: what is stored as {to_hex(stated)} does not have that hash")
    return found


def _contents(held: Any, what: str) -> Iterable[bytes]:
    values = held.values() if isinstance(held, Mapping) else held
    if isinstance(values, str | bytes):
        raise InputError(f"witness: {what}: expected a list, found {values!r:.40}")
    return [from_hex(text) for text in values]


def _listed_headers(found: Mapping[str, Any]) -> list[Any]:
    return next((list(found[name]) for name in _HEADERS if found.get(name)), [])


def _header(entry: Any) -> Header:
    return header_from_rpc(entry) if isinstance(entry, Mapping) else decode_header(from_hex(entry))
