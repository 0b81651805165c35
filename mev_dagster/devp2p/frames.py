"""RLPx frames: a 16-byte header and a body, both encrypted and authenticated by running keccak hashes.

A header's MAC is checked before its size is believed, a body's before it is decrypted, and a size is held
against its limit before a byte of the body is waited for.
"""

import hmac
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB
from sha3 import keccak_256

from mev_dagster.devp2p.handshake import Secrets
from mev_dagster.errors import ProtocolViolation

HEADER_BYTES = 16
MAC_BYTES = 16
HEAD_BYTES = HEADER_BYTES + MAC_BYTES
MAX_FRAME_BYTES = 2**24 - 1  # what the three size bytes can say
_HEADER_DATA = b"\xc2\x80\x80" + bytes(10)  # capability and context id, both zero; then padding

Cipherer = Callable[[bytes], bytes]


class _Mac:
    """One direction's running hash. Taking a digest does not end it (safe-pysha3 resumes after one)."""

    __slots__ = ("_encrypt", "_hash")

    def __init__(self, secret: bytes, seed: bytes) -> None:
        # ECB on one block is the protocol's choice: the digest's first half is whitened with the secret.
        self._encrypt = Cipher(AES(secret), ECB()).encryptor().update  # noqa: S305
        self._hash = keccak_256(seed)

    def header(self, ciphertext: bytes) -> bytes:
        """Return the MAC of a header."""
        return self._mix(ciphertext)

    def body(self, ciphertext: bytes) -> bytes:
        """Return the MAC of a body."""
        self._hash.update(ciphertext)
        return self._mix(self._hash.digest()[:16])

    def _mix(self, block: bytes) -> bytes:
        running = self._hash
        mixed = int.from_bytes(self._encrypt(running.digest()[:16]), "big") ^ int.from_bytes(block, "big")
        running.update(mixed.to_bytes(16, "big"))
        digest: bytes = running.digest()
        return digest[:MAC_BYTES]


def _stream(key: bytes) -> Cipherer:
    """One running key stream per direction. The iv may be zero: the key is never used again."""
    return Cipher(AES(key), CTR(bytes(16))).encryptor().update


class FrameWriter:
    """Turns messages into frames."""

    def __init__(self, secrets: Secrets) -> None:
        self._encrypt = _stream(secrets.aes)
        self._mac = _Mac(secrets.mac, secrets.egress_seed)

    def frame(self, data: bytes) -> bytes:
        """Return one frame that holds `data`."""
        size = len(data)
        if size > MAX_FRAME_BYTES:
            raise ValueError(f"a frame holds at most {MAX_FRAME_BYTES} bytes, not {size}")
        header = self._encrypt(size.to_bytes(3, "big") + _HEADER_DATA)
        header_mac = self._mac.header(header)
        body = self._encrypt(data + bytes(-size % 16))
        return b"".join((header, header_mac, body, self._mac.body(body)))


class RlpxFrameReader:
    """Takes frames apart: a head first, then the body whose size it gave."""

    def __init__(self, secrets: Secrets) -> None:
        self._decrypt = _stream(secrets.aes)
        self._mac = _Mac(secrets.mac, secrets.ingress_seed)
        self._size = 0

    def open_head(self, head: bytes, limit: int) -> int:
        """Check a frame's 32-byte head; return how many bytes follow it."""
        ciphertext = head[:HEADER_BYTES]
        if not hmac.compare_digest(self._mac.header(ciphertext), head[HEADER_BYTES:]):
            raise ProtocolViolation("bad_header_mac", "the frame header was altered or forged")
        size = int.from_bytes(self._decrypt(ciphertext)[:3], "big")
        if size > limit:
            raise ProtocolViolation("oversize_frame", f"a frame of {size} bytes, at most {limit} are read")
        if size == 0:
            raise ProtocolViolation("empty_frame", "a frame must hold a message id")
        self._size = size
        return size + -size % 16 + MAC_BYTES

    def open_body(self, body: bytes) -> bytes:
        """Check and decrypt the body that follows the last head; return the frame's data."""
        ciphertext = body[:-MAC_BYTES]
        if not hmac.compare_digest(self._mac.body(ciphertext), body[-MAC_BYTES:]):
            raise ProtocolViolation("bad_body_mac", "the frame body was altered or forged")
        return self._decrypt(ciphertext)[: self._size]
