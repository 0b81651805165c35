"""The Merkle Patricia trie (Yellow Paper, appendix D), as far as roots go: no database, no proofs.

A root is computed from all pairs at once: sort the keys as nibbles, then build each node from the slice of
pairs that share its prefix.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from mev_dagster.chain import rlp
from mev_dagster.chain.keccak import EMPTY_TRIE_ROOT, keccak

Pairs: TypeAlias = list[tuple[bytes, bytes]]
AccountFields: TypeAlias = tuple[int, int, bytes, Mapping[int, int]]

_NIBBLES = [bytes((byte >> 4, byte & 15)) for byte in range(256)]


def nibbles_of(key: bytes) -> bytes:
    """Return a key as one byte for each half byte."""
    return b"".join([_NIBBLES[byte] for byte in key])


def hex_prefix(nibbles: bytes, *, leaf: bool) -> bytes:
    """Pack a path of nibbles with the flags of the node that holds it (Yellow Paper, appendix C)."""
    flag = 2 if leaf else 0
    padded = bytes((flag + 1,) if len(nibbles) % 2 else (flag, 0)) + nibbles
    return bytes([high << 4 | low for high, low in zip(padded[::2], padded[1::2], strict=True)])


def _reference(node: bytes) -> bytes:
    """Return how a parent refers to a node: the node itself when shorter than a hash, else its hash."""
    return node if len(node) < 32 else rlp.encode_bytes(keccak(node))


def _node(
    pairs: Pairs, first: int, last: int, depth: int, refer: Callable[[bytes], bytes] = _reference
) -> bytes:
    """Encode the node that holds the sorted pairs[first:last], whose keys agree before `depth`."""
    key, value = pairs[first]
    if last - first == 1:
        return rlp.encode_list(
            [rlp.encode_bytes(hex_prefix(key[depth:], leaf=True)), rlp.encode_bytes(value)]
        )
    furthest = pairs[last - 1][0]
    shared = depth
    limit = min(len(key), len(furthest))
    while shared < limit and key[shared] == furthest[shared]:
        shared += 1
    if shared > depth:
        path = rlp.encode_bytes(hex_prefix(key[depth:shared], leaf=False))
        return rlp.encode_list([path, refer(_node(pairs, first, last, shared, refer))])
    children = [b"\x80"] * 17
    if len(key) == depth:
        children[16] = rlp.encode_bytes(value)
        first += 1
    while first < last:
        nibble = pairs[first][0][depth]
        stop = first + 1
        while stop < last and pairs[stop][0][depth] == nibble:
            stop += 1
        children[nibble] = refer(_node(pairs, first, stop, depth + 1, refer))
        first = stop
    return rlp.encode_list(children)


def _root(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    ordered = sorted((nibbles_of(key), value) for key, value in pairs if value)
    return keccak(_node(ordered, 0, len(ordered), 0)) if ordered else EMPTY_TRIE_ROOT


def trie_nodes(pairs: Iterable[tuple[bytes, bytes]], nodes: dict[bytes, bytes]) -> bytes:
    """Return the root over key -> value, and put every node that a hash refers to into `nodes`."""

    def refer(node: bytes) -> bytes:
        if len(node) < 32:
            return node
        digest = keccak(node)
        nodes[digest] = node
        return rlp.encode_bytes(digest)

    ordered = sorted((nibbles_of(key), value) for key, value in pairs if value)
    if not ordered:
        return EMPTY_TRIE_ROOT
    top = _node(ordered, 0, len(ordered), 0, refer)
    nodes[keccak(top)] = top
    return keccak(top)


def trie_root(mapping: Mapping[bytes, bytes], *, secure: bool = False) -> bytes:
    """Return the root over key -> value; `secure` hashes the keys first. Empty values are absent."""
    if secure:
        return _root((keccak(key), value) for key, value in mapping.items())
    return _root(mapping.items())


def ordered_trie_root(items: Sequence[bytes]) -> bytes:
    """Return the root over rlp(index) -> item, as used for transactions, receipts and withdrawals."""
    return _root((rlp.encode_int(index), item) for index, item in enumerate(items))


def storage_root(storage: Mapping[int, int]) -> bytes:
    """Return the root of a contract's storage; zero values are absent."""
    return _root(
        (keccak(slot.to_bytes(32, "big")), rlp.encode_int(value)) for slot, value in storage.items() if value
    )


def encode_account(nonce: int, balance_wei: int, code_hash: bytes, storage: Mapping[int, int]) -> bytes:
    """Return an account as the state trie holds it."""
    return rlp.encode([nonce, balance_wei, storage_root(storage), code_hash])


def state_root(accounts: Mapping[bytes, AccountFields]) -> bytes:
    """Return the root of a whole state: address -> (nonce, balance in wei, code hash, storage)."""
    return _root((keccak(address), encode_account(*fields)) for address, fields in accounts.items())
