"""Bytes as hexadecimal text, the way Ethereum's interfaces and our own documents write them.

to_hex(b"\x01\xff")      "0x01ff"
from_hex("0x01ff", 2)    b"\x01\xff"
"""

from binascii import unhexlify


def to_hex(value: bytes) -> str:
    """Return `value` as 0x and two lower-case digits a byte."""
    return "0x" + value.hex()


def from_hex(text: str, length: int | None = None) -> bytes:
    """Return the bytes that `text` spells, with or without 0x.

    What a document holds may be anything: whatever is no such text, or not of `length` bytes, is a
    ValueError that says what was expected. Unlike `bytes.fromhex` it takes no white space.
    """
    if not isinstance(text, str):
        raise ValueError(f"expected hex digits, found {text!r:.80}")
    try:
        content = unhexlify(text.removeprefix("0x"))
    except ValueError:
        raise ValueError(f"expected hex digits, found {text!r:.80}") from None
    if length is not None and len(content) != length:
        raise ValueError(f"expected {length} bytes of hex, found {len(content)}")
    return content
