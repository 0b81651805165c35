"""ECIES as RLPx uses it (devp2p rlpx.md): what only the holder of a key can open.

0x04 || ephemeral id (64) || iv (16) || AES-128-CTR ciphertext || HMAC-SHA256 tag (32)
"""

import hmac
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from mev_dagster.devp2p.keys import ID_BYTES, Entropy, NodeKey, parse_id
from mev_dagster.errors import DecodeError

IV_BYTES = 16
TAG_BYTES = 32
OVERHEAD = 1 + ID_BYTES + IV_BYTES + TAG_BYTES
_UNCOMPRESSED = 0x04


def seal(plaintext: bytes, recipient_id: bytes, shared_data: bytes, entropy: Entropy) -> bytes:
    """Encrypt for `recipient_id`; `shared_data` is authenticated, not sent."""
    ephemeral = NodeKey.generate(entropy)
    encryption, authentication = _derive(ephemeral.agree(parse_id(recipient_id)))
    iv = entropy(IV_BYTES)
    body = iv + _counter_mode(encryption, iv, plaintext)
    return bytes((_UNCOMPRESSED,)) + ephemeral.id + body + _tag(authentication, body, shared_data)


def unseal(packet: bytes, key: NodeKey, shared_data: bytes) -> bytes:
    """Decrypt what was sealed for `key`; raises `DecodeError` before anything of it is believed."""
    if len(packet) < OVERHEAD or packet[0] != _UNCOMPRESSED:
        raise DecodeError("bad_ecies", f"{len(packet)} bytes, expected 0x04 and at least {OVERHEAD}")
    encryption, authentication = _derive(key.agree(parse_id(packet[1 : 1 + ID_BYTES])))
    body, tag = packet[1 + ID_BYTES : -TAG_BYTES], packet[-TAG_BYTES:]
    if not hmac.compare_digest(_tag(authentication, body, shared_data), tag):
        raise DecodeError("bad_ecies_tag", "the packet was not sealed for this node, or was altered")
    return _counter_mode(encryption, body[:IV_BYTES], body[IV_BYTES:])


def _derive(shared: bytes) -> tuple[bytes, bytes]:
    """NIST SP 800-56 concatenation KDF, one round of SHA-256: encryption key and authentication key."""
    derived = sha256(b"\x00\x00\x00\x01" + shared).digest()
    return derived[:16], sha256(derived[16:]).digest()


def _tag(key: bytes, body: bytes, shared_data: bytes) -> bytes:
    return hmac.digest(key, body + shared_data, "sha256")


def _counter_mode(key: bytes, iv: bytes, data: bytes) -> bytes:
    return Cipher(AES(key), CTR(iv)).encryptor().update(data)
