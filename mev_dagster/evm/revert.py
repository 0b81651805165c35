"""What a reverted call says about itself."""

from mev_dagster.hexadecimal import to_hex

_ERROR_STRING = bytes.fromhex("08c379a0")  # Error(string)
_PANIC = bytes.fromhex("4e487b71")  # Panic(uint256)
_PANIC_REASONS = {
    0x00: "generic",
    0x01: "assertion failed",
    0x11: "arithmetic overflow or underflow",
    0x12: "division by zero",
    0x21: "value outside its enum",
    0x22: "storage byte array wrongly encoded",
    0x31: "pop of an empty array",
    0x32: "index out of bounds",
    0x41: "too much memory",
    0x51: "call of a zero-initialized function",
}


def revert_reason(output: bytes) -> str:
    """Return the reason in words: Solidity's string or panic, else the selector of a custom error."""
    if not output:
        return "reverted without a reason"
    selector, body = output[:4], output[4:]
    if selector == _ERROR_STRING and len(body) >= 64:
        offset = int.from_bytes(body[:32], "big")
        head = body[offset : offset + 32]
        length = int.from_bytes(head, "big")
        text = body[offset + 32 : offset + 32 + length]
        if len(head) == 32 and len(text) == length:
            return text.decode("utf-8", errors="replace")
    if selector == _PANIC and len(body) == 32:
        code = int.from_bytes(body, "big")
        return f"panic {code:#04x}: {_PANIC_REASONS.get(code, 'unknown')}"
    if len(output) < 4:
        return to_hex(output)
    return f"custom error {to_hex(selector)} with {len(body)} bytes"
