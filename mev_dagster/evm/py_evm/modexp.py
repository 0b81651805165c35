"""The MODEXP precompile with the price as a parameter.

py-evm's own answers 0 for an empty base even where 0^0 mod m is 1, and builds numbers of any announced
length before it charges for them.
"""

from collections.abc import Callable
from typing import Any

MODEXP_ADDRESS = (5).to_bytes(20, "big")

# (base length, exponent length, modulus length, first 32 bytes of the exponent) -> gas
Price = Callable[[int, int, int, int], int]


def eip198_gas(base_length: int, exponent_length: int, modulus_length: int, head: int) -> int:
    """Return the price from Byzantium on."""
    longest = max(base_length, modulus_length)
    if longest <= 64:
        complexity = longest**2
    elif longest <= 1024:
        complexity = longest**2 // 4 + 96 * longest - 3072
    else:
        complexity = longest**2 // 16 + 480 * longest - 199_680
    return complexity * max(_iterations(exponent_length, head), 1) // 20


def eip2565_gas(base_length: int, exponent_length: int, modulus_length: int, head: int) -> int:
    """Return the price from Berlin on."""
    words = (max(base_length, modulus_length) + 7) // 8
    return max(200, words**2 * max(_iterations(exponent_length, head), 1) // 3)


def _iterations(exponent_length: int, head: int) -> int:
    return 8 * max(exponent_length - 32, 0) + max(head.bit_length() - 1, 0)


def modexp(computation: Any, price: Price) -> Any:
    """Charge, then compute base ** exponent % modulus over the lengths the input announces."""
    data = computation.msg.data_as_bytes
    base_length, exponent_length, modulus_length = (_number(data, at, 32) for at in (0, 32, 64))
    exponent_at = 96 + base_length
    head = _number(data, exponent_at, min(exponent_length, 32))
    computation.consume_gas(price(base_length, exponent_length, modulus_length, head), reason="MODEXP")
    if modulus_length == 0:
        computation.output = b""
        return computation
    modulus = _number(data, exponent_at + exponent_length, modulus_length)
    if modulus == 0:
        computation.output = bytes(modulus_length)
        return computation
    base, exponent = _number(data, 96, base_length), _number(data, exponent_at, exponent_length)
    computation.output = pow(base, exponent, modulus).to_bytes(modulus_length, "big")
    return computation


def _number(data: bytes, start: int, length: int) -> int:
    """Read a big-endian number; bytes past the end of the data are zero."""
    present = data[start : start + length]
    return int.from_bytes(present, "big") << 8 * (length - len(present))
