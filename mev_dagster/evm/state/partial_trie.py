"""A Merkle Patricia trie of which only some nodes are at hand, as a witness or a set of proofs gives them.

Every node is found by its hash, so whatever is read from a trusted root is proven. Changing values gives
the new root as long as the nodes on the way are there; a node that is not is `MissingState`.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from mev_dagster.chain import rlp
from mev_dagster.chain.keccak import EMPTY_TRIE_ROOT, keccak
from mev_dagster.chain.trie import hex_prefix, nibbles_of
from mev_dagster.errors import DecodeError, MissingState
from mev_dagster.hexadecimal import to_hex

_HASH_BYTES = 32
_BRANCH_ITEMS, _PATH_ITEMS = 17, 2


@dataclass(frozen=True, slots=True)
class _Leaf:
    path: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class _Extension:
    path: bytes
    child: "_Node"


@dataclass(frozen=True, slots=True)
class _Branch:
    children: tuple["_Node", ...]
    value: bytes


# A node, the hash of one that is not opened yet, or nothing.
_Node: TypeAlias = _Leaf | _Extension | _Branch | bytes | None


def nodes_by_hash(nodes: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return the encoded nodes under their hashes."""
    return {keccak(node): node for node in nodes}


def root_of_nodes(nodes: Mapping[bytes, bytes]) -> bytes:
    """Return the hash of the one node that no other of them refers to, in a branch or in an account.

    Raises `DecodeError` where none or several could be the root.
    """
    referred: set[bytes] = set()
    for encoded in nodes.values():
        waiting: list[rlp.Item] = [rlp.decode(encoded)]
        while waiting:
            item = waiting.pop()
            if isinstance(item, list):
                waiting += item
            elif len(item) == _HASH_BYTES:
                referred.add(item)
            elif len(item) > 2 * _HASH_BYTES:  # a leaf's account: its storage has a root of its own
                with suppress(DecodeError):
                    fields = rlp.decode(item)
                    waiting += fields if isinstance(fields, list) else []
    roots = nodes.keys() - referred
    if len(roots) != 1:
        raise DecodeError("no_root", f"{len(roots)} of {len(nodes)} nodes could be the root")
    return roots.pop()


def shortened_paths(encoded: bytes) -> list[bytes]:
    """Return a leaf or an extension with each of the shorter paths it may have had below a branch."""
    node = _decode(rlp.decode(encoded))
    if isinstance(node, _Leaf):
        return [_encode(_Leaf(node.path[cut:], node.value)) for cut in range(1, len(node.path) + 1)]
    if isinstance(node, _Extension):
        return [_encode(_Extension(node.path[cut:], node.child)) for cut in range(1, len(node.path))]
    return []


class PartialTrie:
    """A trie under one root; keys are given whole and not hashed here."""

    def __init__(self, root: bytes, nodes: Mapping[bytes, bytes]) -> None:
        self._nodes = nodes
        self._root: _Node = None if root == EMPTY_TRIE_ROOT else root

    def get(self, key: bytes) -> bytes | None:
        """Return the value under a key, or None where the trie proves that there is none."""
        return self._get(self._root, nibbles_of(key))

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value under a key; an empty value removes it."""
        path = nibbles_of(key)
        self._root = self._put(self._root, path, value) if value else self._remove(self._root, path)

    def branch_beside(self, key: bytes) -> bytes | None:
        """Return the path of the branch below the extension that shows a key absent, else None."""
        path, depth, node = nibbles_of(key), 0, self._open(self._root)
        while isinstance(node, (_Branch, _Extension)):
            if isinstance(node, _Branch):
                depth, node = depth + 1, self._open(node.children[path[depth]])
            elif path.startswith(node.path, depth):
                depth, node = depth + len(node.path), self._open(node.child)
            else:
                return path[:depth] + node.path
        return None

    def root(self) -> bytes:
        """Return the root hash."""
        if self._root is None:
            return EMPTY_TRIE_ROOT
        return self._root if isinstance(self._root, bytes) else keccak(_encode(self._root))

    def encoded_nodes(self) -> list[bytes]:
        """Return every node that has been opened or made and that a hash refers to, the root first."""
        found: list[bytes] = []
        waiting: list[_Node] = [self._root]
        while waiting:
            node = waiting.pop()
            if isinstance(node, _Branch):
                waiting += node.children
            elif isinstance(node, _Extension):
                waiting.append(node.child)
            if node is not None and not isinstance(node, bytes):
                encoded = _encode(node)
                if len(encoded) >= _HASH_BYTES or node is self._root:
                    found.append(encoded)
        return found

    def _open(self, node: _Node) -> _Leaf | _Extension | _Branch | None:
        if not isinstance(node, bytes):
            return node
        encoded = self._nodes.get(node)
        if encoded is None:
            raise MissingState("trie_node", to_hex(node))
        return _decode(rlp.decode(encoded))

    def _get(self, reference: _Node, path: bytes) -> bytes | None:
        node = self._open(reference)
        if isinstance(node, _Branch):
            return self._get(node.children[path[0]], path[1:]) if path else node.value or None
        if isinstance(node, _Extension):
            return self._get(node.child, path[len(node.path) :]) if path.startswith(node.path) else None
        return node.value if node is not None and node.path == path else None

    def _put(self, reference: _Node, path: bytes, value: bytes) -> _Node:
        node = self._open(reference)
        if node is None:
            return _Leaf(path, value)
        if isinstance(node, _Branch):
            if not path:
                return _Branch(node.children, value)
            return _with_child(node, path[0], self._put(node.children[path[0]], path[1:], value))
        shared = _shared_length(node.path, path)
        if isinstance(node, _Leaf) and shared == len(node.path) == len(path):
            return _Leaf(path, value)
        if isinstance(node, _Extension) and shared == len(node.path):
            return _Extension(node.path, self._put(node.child, path[shared:], value))
        branch = _Branch((None,) * 16, b"")
        branch = _hang(branch, node, shared)
        rest = path[shared:]
        grown: _Node = (
            _with_child(branch, rest[0], _Leaf(rest[1:], value)) if rest else _Branch(branch.children, value)
        )
        return _Extension(path[:shared], grown) if shared else grown

    def _remove(self, reference: _Node, path: bytes) -> _Node:
        node = self._open(reference)
        if node is None:
            return None
        if isinstance(node, _Leaf):
            return None if node.path == path else reference
        if isinstance(node, _Extension):
            if not path.startswith(node.path):
                return reference
            return self._join(node.path, self._remove(node.child, path[len(node.path) :]))
        if not path:
            return self._shrink(_Branch(node.children, b""))
        return self._shrink(_with_child(node, path[0], self._remove(node.children[path[0]], path[1:])))

    def _shrink(self, branch: _Branch) -> _Node:
        """Return a branch that may have lost its reason to be one."""
        present = [index for index, child in enumerate(branch.children) if child is not None]
        if branch.value:
            return branch if present else _Leaf(b"", branch.value)
        if len(present) > 1:
            return branch
        index = present[0]
        return self._join(bytes([index]), branch.children[index])

    def _join(self, path: bytes, reference: _Node) -> _Node:
        """Put a path in front of a node; paths in a row become one."""
        node = self._open(reference)
        if isinstance(node, _Leaf):
            return _Leaf(path + node.path, node.value)
        if isinstance(node, _Extension):
            return _Extension(path + node.path, node.child)
        return None if node is None else _Extension(path, reference)


def _with_child(branch: _Branch, index: int, child: _Node) -> _Branch:
    return _Branch((*branch.children[:index], child, *branch.children[index + 1 :]), branch.value)


def _hang(branch: _Branch, node: _Leaf | _Extension, shared: int) -> _Branch:
    """Hang what is left of a node under a new branch that splits its path."""
    rest = node.path[shared:]
    if isinstance(node, _Leaf):
        if not rest:
            return _Branch(branch.children, node.value)
        return _with_child(branch, rest[0], _Leaf(rest[1:], node.value))
    below = _Extension(rest[1:], node.child) if len(rest) > 1 else node.child
    return _with_child(branch, rest[0], below)


def _shared_length(left: bytes, right: bytes) -> int:
    length = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        length += 1
    return length


def _decode(item: rlp.Item) -> _Leaf | _Extension | _Branch:
    if isinstance(item, list) and len(item) == _BRANCH_ITEMS:
        value = rlp.text(item[16], name="branch value")
        return _Branch(tuple(_child(child) for child in item[:16]), value)
    if isinstance(item, list) and len(item) == _PATH_ITEMS:
        packed = nibbles_of(rlp.text(item[0], name="path"))
        if not packed or packed[0] > 3:
            raise DecodeError("bad_trie_node", "path flag above 3")
        path = packed[1:] if packed[0] & 1 else packed[2:]
        if packed[0] & 2:
            return _Leaf(path, rlp.text(item[1], name="leaf value"))
        return _Extension(path, _child(item[1]))
    raise DecodeError("bad_trie_node", "expected a list of 17 or 2 items")


def _child(item: rlp.Item) -> _Node:
    if isinstance(item, list):
        return _decode(item)
    if not item:
        return None
    if len(item) != _HASH_BYTES:
        raise DecodeError("bad_trie_node", f"reference of {len(item)} bytes")
    return item


def _encode(node: _Leaf | _Extension | _Branch) -> bytes:
    if isinstance(node, _Leaf):
        return rlp.encode([hex_prefix(node.path, leaf=True), node.value])
    if isinstance(node, _Extension):
        path = rlp.encode_bytes(hex_prefix(node.path, leaf=False))
        return rlp.encode_list([path, _encode_reference(node.child)])
    children = [_encode_reference(child) for child in node.children]
    return rlp.encode_list([*children, rlp.encode_bytes(node.value)])


def _encode_reference(node: _Node) -> bytes:
    if node is None:
        return rlp.encode_bytes(b"")
    if isinstance(node, bytes):
        return rlp.encode_bytes(node)
    encoded = _encode(node)
    return encoded if len(encoded) < _HASH_BYTES else rlp.encode_bytes(keccak(encoded))
