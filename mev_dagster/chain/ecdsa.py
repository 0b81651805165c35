"""secp256k1 as Ethereum uses it: recover the signer's address, sign a digest.

Recovery calls libsecp256k1 through coincurve's own binding with buffers that each thread allocates once.
That saves the wrapper objects of `coincurve.PublicKey`; the library call itself releases the GIL.
"""

import threading

from coincurve import PrivateKey, PublicKey
from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT
from sha3 import keccak_256

from mev_dagster.errors import DecodeError

SECP256K1_N = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
SECP256K1_HALF_N = SECP256K1_N // 2

_UNCOMPRESSED = 2  # SECP256K1_EC_UNCOMPRESSED: header byte, then x and y
_context = GLOBAL_CONTEXT.ctx
_parse = lib.secp256k1_ecdsa_recoverable_signature_parse_compact
_recover = lib.secp256k1_ecdsa_recover
_serialize = lib.secp256k1_ec_pubkey_serialize


class _Buffers(threading.local):
    """Per thread, because libsecp256k1 runs without the GIL and two threads must not share them."""

    def __init__(self) -> None:
        self.signature = ffi.new("secp256k1_ecdsa_recoverable_signature *")
        self.public_key = ffi.new("secp256k1_pubkey *")
        self.serialized = ffi.new("unsigned char[65]")
        self.length = ffi.new("size_t *", 65)
        self.coordinates = ffi.buffer(self.serialized)
        self.all = (self.signature, self.public_key, self.serialized, self.length, self.coordinates)


_buffers = _Buffers()


def recover_or_none(digest: bytes, signature: bytes, parity: int) -> bytes | None:
    """Return the address that signed `digest`, None if there is none; `signature` is r || s, 64 bytes."""
    parsed, public_key, serialized, length, coordinates = _buffers.all
    if not _parse(_context, parsed, signature, parity) or not _recover(_context, public_key, parsed, digest):
        return None
    _serialize(_context, serialized, length, public_key, _UNCOMPRESSED)
    address: bytes = keccak_256(coordinates[1:65]).digest()[12:]
    return address


def recover_address(digest: bytes, signature: bytes, parity: int) -> bytes:
    """Return the address that signed `digest`; raises `DecodeError` if there is none."""
    address = recover_or_none(digest, signature, parity)
    if address is None:
        raise DecodeError("signature_unrecoverable", "no public key gives this signature")
    return address


def sign_digest(private_key: bytes | PrivateKey, digest: bytes) -> tuple[int, int, int]:
    """Sign deterministically (RFC 6979): (y parity, r, s) with low s.

    Making a `PrivateKey` costs as much as signing, so one that signs often is handed in made.
    """
    key = PrivateKey(private_key) if isinstance(private_key, bytes) else private_key
    signature = key.sign_recoverable(digest, hasher=None)
    return signature[64], int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")


def address_of(private_key: bytes) -> bytes:
    """Return the address of a private key."""
    public_key: bytes = PublicKey.from_secret(private_key).format(compressed=False)
    address: bytes = keccak_256(public_key[1:]).digest()[12:]
    return address
