"""BLS signatures as Ethereum uses them (minimal-pubkey-size, proof of possession), over arkworks.

Source: consensus-specs `phase0/beacon-chain.md` BLS section, draft-irtf-cfrg-bls-signature.
"""

from functools import lru_cache
from typing import TypeVar

from py_arkworks_bls12381 import GT, G1Point, G2Point, Scalar

from mev_dagster.errors import DecodeError

CIPHERSUITE = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"
CURVE_ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
PUBKEY_BYTES = 48
SIGNATURE_BYTES = 96

Point = TypeVar("Point", G1Point, G2Point)

_GENERATOR = G1Point()
_NEGATED_GENERATOR = -_GENERATOR


def public_key(secret: int) -> bytes:
    """Return the compressed public key of a secret scalar."""
    return bytes((_GENERATOR * _scalar(secret)).to_compressed_bytes())


def sign(secret: int, message: bytes) -> bytes:
    """Sign a message (an Ethereum signing root)."""
    return bytes((_hash_to_curve(message) * _scalar(secret)).to_compressed_bytes())


def verify(pubkey: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether `signature` is `pubkey`'s over `message`; a point that is none raises `DecodeError`."""
    key = _public_point(pubkey)
    point = _signature_point(signature)
    return bool(GT.pairing_check([key, _NEGATED_GENERATOR], [_hash_to_curve(message), point]))


def _scalar(secret: int) -> Scalar:
    if not 0 < secret < CURVE_ORDER:
        raise DecodeError("bls_secret", "the secret is not a scalar of the curve's order")
    return Scalar.from_be_bytes(secret.to_bytes(32, "big"))


def _hash_to_curve(message: bytes) -> G2Point:
    return G2Point.hash_to_curve(message, CIPHERSUITE)


@lru_cache(maxsize=1024)
def _public_point(pubkey: bytes) -> G1Point:
    """Decompress a key and check it as KeyValidate does: on the curve, in the subgroup, not the identity."""
    point = _decompress(G1Point, pubkey, PUBKEY_BYTES, "bls_pubkey")
    if point == G1Point.identity():
        raise DecodeError("bls_pubkey", "the identity")
    return point


def _signature_point(signature: bytes) -> G2Point:
    return _decompress(G2Point, signature, SIGNATURE_BYTES, "bls_signature")


def _decompress(kind: type[Point], data: bytes, size: int, reason: str) -> Point:
    if len(data) != size:
        raise DecodeError(reason, f"{size} bytes, got {len(data)}")
    try:
        point = kind.from_compressed_bytes(data)
    except ValueError as error:
        raise DecodeError(reason, "not a point of the subgroup") from error
    # The backend reads several spellings of the identity; only one is canonical.
    if bytes(point.to_compressed_bytes()) != data:
        raise DecodeError(reason, "not the canonical encoding of its point")
    return point
