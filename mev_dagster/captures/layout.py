"""The parts a capture has, and how blocks are found in them."""

import hashlib
from pathlib import Path

from mev_dagster.errors import CaptureError
from mev_dagster.units import MIB

EVENTS = "events.zst"
BLOCKS = "blocks.zst"
RECEIPTS = "receipts.zst"
PRESTATES = "prestates.zst"
CODES = "codes.zst"
WITNESSES = "witnesses.zst"
# Neighbouring states share most of their bytes, and so do contracts: large chunks let zstd find it.
CHUNK_BYTES = {
    EVENTS: 512 * 1024,
    BLOCKS: 512 * 1024,
    RECEIPTS: 512 * 1024,
    PRESTATES: 8 * MIB,
    CODES: 8 * MIB,
}
PART_NAMES = tuple(CHUNK_BYTES)
# Parts that a capture may have beside those: there only if something is in them.
OPTIONAL_CHUNK_BYTES = {WITNESSES: 8 * MIB}


def block_key(number: int) -> bytes:
    """Return the key of everything that belongs to a block."""
    return number.to_bytes(8, "big")


def block_number(key: bytes) -> int:
    """Return the block that a key belongs to."""
    return int.from_bytes(key, "big")


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file in hex, reading it in pieces."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CaptureError(f"part {path.name}: {error.strerror}") from error
