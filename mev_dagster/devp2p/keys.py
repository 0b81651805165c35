"""Node identities: a secp256k1 key, the 64-byte id it stands for, shared secrets and signatures."""

import os
from collections.abc import Callable
from typing import TypeAlias

from coincurve import PrivateKey, PublicKey

from mev_dagster.errors import DecodeError

Entropy: TypeAlias = Callable[[int], bytes]
"""Where random bytes come from: `os.urandom`, or something repeatable in tests."""

ID_BYTES = 64
SIGNATURE_BYTES = 65


def parse_id(node_id: bytes) -> PublicKey:
    """Return the curve point of a 64-byte id; refuses what is not on the curve, before any use of it."""
    if len(node_id) != ID_BYTES:
        raise DecodeError("invalid_point", f"a node id has {ID_BYTES} bytes, found {len(node_id)}")
    try:
        return PublicKey(b"\x04" + node_id)
    except ValueError:
        raise DecodeError("invalid_point", "the node id is not a point of secp256k1") from None


def id_of(point: PublicKey) -> bytes:
    """Return the 64-byte id of a point."""
    serialized: bytes = point.format(compressed=False)
    return serialized[1:]


def recover_id(digest: bytes, signature: bytes) -> bytes:
    """Return the id whose key made the recoverable `signature` (r || s || parity) of `digest`."""
    if len(signature) != SIGNATURE_BYTES or signature[64] > 3:
        raise DecodeError("bad_signature", f"expected {SIGNATURE_BYTES} bytes ending in a recovery id")
    try:
        return id_of(PublicKey.from_signature_and_message(signature, digest, hasher=None))
    except Exception as error:  # coincurve raises bare Exception and ValueError alike
        raise DecodeError("bad_signature", str(error)) from None


class NodeKey:
    """A private key and its id. The key never leaves the object but to be stored."""

    __slots__ = ("_private", "id")

    def __init__(self, secret: bytes) -> None:
        self._private = PrivateKey(secret)
        self.id = id_of(self._private.public_key)

    @classmethod
    def generate(cls, entropy: Entropy = os.urandom) -> "NodeKey":
        """Make a new identity."""
        while True:
            try:
                return cls(entropy(32))
            except ValueError:  # zero, or not below the group order: once in 2^128
                continue

    @property
    def secret(self) -> bytes:
        """The 32 bytes to store."""
        secret: bytes = self._private.secret
        return secret

    def agree(self, remote: PublicKey) -> bytes:
        """Return the x coordinate of the shared point (raw ECDH; coincurve's own `ecdh` hashes it)."""
        shared: bytes = remote.multiply(self._private.secret).format(compressed=False)
        return shared[1:33]

    def sign(self, digest: bytes) -> bytes:
        """Sign deterministically: r || s || parity."""
        signature: bytes = self._private.sign_recoverable(digest, hasher=None)
        return signature

    def __repr__(self) -> str:
        return f"NodeKey({self.id.hex()[:16]}…)"
