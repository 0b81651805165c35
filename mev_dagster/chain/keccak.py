"""Keccak-256, the hash of everything in Ethereum."""

from sha3 import keccak_256


def keccak(data: bytes) -> bytes:
    """Return the 32-byte Keccak-256 digest of `data`."""
    digest: bytes = keccak_256(data).digest()
    return digest


EMPTY_CODE_HASH = keccak(b"")
"""Code hash of an account without code."""

EMPTY_UNCLES_HASH = keccak(b"\xc0")
"""Hash of the RLP of an empty list: the ommers hash of a block without ommers."""

EMPTY_TRIE_ROOT = keccak(b"\x80")
"""Root of a trie that holds nothing."""
