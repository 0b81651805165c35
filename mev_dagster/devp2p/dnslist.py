"""Node lists in DNS (EIP-1459): a Merkle tree of TXT records under a signed root. Parsing and the walk.

The walk asks a resolver that is handed in, so it runs over a dictionary in tests and over DNS in the field.
"""

import re
from base64 import b32decode, b32encode, urlsafe_b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from coincurve import PublicKey

from mev_dagster.chain.keccak import keccak
from mev_dagster.devp2p.enr import NodeRecord, parse_record
from mev_dagster.devp2p.keys import id_of, recover_id
from mev_dagster.errors import DecodeError, InputError

MAX_ENTRY_CHARACTERS = 2048
MAX_LOOKUPS = 4_096
_ROOT = re.compile(r"enrtree-root:v1 e=([A-Z2-7]+) l=([A-Z2-7]+) seq=([0-9]{1,18}) sig=([A-Za-z0-9_-]+)")
_SUBDOMAIN = re.compile(r"[A-Z2-7]{16,52}")

Resolver: TypeAlias = Callable[[str], Awaitable[str]]
"""The TXT record of a name, its strings joined; raises `MevError` when there is none."""


@dataclass(frozen=True, slots=True)
class TreeRoot:
    """A verified root: where the records and the links to other lists begin."""

    records: str
    links: str
    seq: int


@dataclass(frozen=True, slots=True)
class TreeLink:
    """Another list and the key that signs it."""

    node_id: bytes
    domain: str


@dataclass(frozen=True, slots=True)
class TreeBranch:
    """An inner node: hashes of its children."""

    children: tuple[str, ...]


TreeEntry: TypeAlias = TreeBranch | TreeLink | NodeRecord


def parse_link(url: str) -> TreeLink:
    """Parse `enrtree://<base32 key>@<domain>`."""
    key, at, domain = url.strip().removeprefix("enrtree://").partition("@")
    try:
        if not url.strip().startswith("enrtree://") or not at or not domain:
            raise ValueError("expected enrtree://<key>@<domain>")
        return TreeLink(id_of(PublicKey(_base32(key))), domain)
    except ValueError as error:
        raise InputError(f"DNS list: {error}") from None


def parse_root(text: str, signer_id: bytes) -> TreeRoot:
    """Parse a root and check that the list's owner signed it."""
    match = _ROOT.fullmatch(text.strip())
    if match is None:
        raise DecodeError("bad_tree_root", f"not an enrtree root: {text[:80]!r}")
    records, links, seq, encoded = match.groups()
    signature = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    signed = text.strip().rpartition(" sig=")[0]
    if recover_id(keccak(signed.encode()), signature) != signer_id:
        raise DecodeError("bad_signature", "the root is not signed by the list's owner")
    return TreeRoot(records, links, int(seq))


def parse_entry(text: str, subdomain: str) -> TreeEntry:
    """Parse what stands under `subdomain`, which must be its hash."""
    if len(text) > MAX_ENTRY_CHARACTERS:
        raise DecodeError("tree_entry_too_large", f"{len(text)} characters")
    if hash_label(text)[: len(subdomain)] != subdomain:
        raise DecodeError("bad_tree_hash", f"the entry under {subdomain} has another hash")
    if text.startswith("enrtree-branch:"):
        children = tuple([child for child in text.removeprefix("enrtree-branch:").split(",") if child])
        if not all(_SUBDOMAIN.fullmatch(child) for child in children):
            raise DecodeError("bad_tree_branch", "a child is not the base32 of a hash")
        return TreeBranch(children)
    if text.startswith("enrtree://"):
        return parse_link(text)
    if text.startswith("enr:"):
        return parse_record(text)
    raise DecodeError("unknown_tree_entry", f"{text[:40]!r}")


def hash_label(text: str) -> str:
    """Return the subdomain an entry lives under."""
    return b32encode(keccak(text.encode())[:16]).decode().rstrip("=")


async def walk(url: str, resolve: Resolver, *, max_lookups: int = MAX_LOOKUPS) -> AsyncIterator[NodeRecord]:
    """Yield the records of a list and of the lists it links to; what is damaged is left out.

    The first root must be right, or the whole list is refused.
    """
    waiting = [parse_link(url)]
    walked: set[str] = set()
    lookups = 0
    while waiting:
        link = waiting.pop()
        if link.domain in walked:
            continue
        walked.add(link.domain)
        try:
            root = parse_root(await resolve(link.domain), link.node_id)
        except DecodeError:
            if len(walked) == 1:
                raise
            continue
        seen = {root.records, root.links}
        labels = [root.links, root.records]
        while labels and lookups < max_lookups:
            label = labels.pop()
            lookups += 1
            try:
                entry = parse_entry(await resolve(f"{label}.{link.domain}"), label)
            except (DecodeError, InputError):
                continue
            if isinstance(entry, TreeBranch):
                labels += [child for child in entry.children if child not in seen]
                seen.update(entry.children)
            elif isinstance(entry, TreeLink):
                waiting.append(entry)
            else:
                yield entry


def _base32(text: str) -> bytes:
    return b32decode(text + "=" * (-len(text) % 8))
