"""Blob transactions without a trusted setup.

A blob that repeats one field element 4096 times is a constant polynomial: its KZG commitment is that
multiple of the group's generator, its proof the point at infinity (EIP-4844). For the elements 0 and 1 both
are known constants.
"""

import hashlib
from typing import NamedTuple

from mev_dagster.chain import rlp
from mev_dagster.chain.transactions import Transaction

FIELD_ELEMENTS = 4096
VERSION_KZG = b"\x01"
INFINITY = b"\xc0" + bytes(47)
GENERATOR = bytes.fromhex(
    "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
)
COMMITMENTS = (INFINITY, GENERATOR)


class ConstantBlob(NamedTuple):
    """A blob full of one element, 0 or 1."""

    element: int

    @property
    def versioned_hash(self) -> bytes:
        """Return the hash the transaction carries."""
        return VERSION_KZG + hashlib.sha256(COMMITMENTS[self.element]).digest()[1:]

    @property
    def data(self) -> bytes:
        """Return the blob's 131 072 bytes."""
        return self.element.to_bytes(32, "big") * FIELD_ELEMENTS


def with_sidecar(transaction: Transaction, blobs: tuple[ConstantBlob, ...]) -> bytes:
    """Return the transaction as it travels between nodes: with blobs, commitments and proofs."""
    fields = rlp.decode(transaction.raw[1:])
    commitments = [COMMITMENTS[blob.element] for blob in blobs]
    sidecar = [fields, [blob.data for blob in blobs], commitments, [INFINITY] * len(blobs)]
    return transaction.raw[:1] + rlp.encode(sidecar)
