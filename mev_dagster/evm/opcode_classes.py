"""What kind of work an instruction does: the classes that gas is counted under."""

from collections.abc import Mapping

# The classes in the order of the opcode space: (first opcode, name).
_CLASSES = (
    (0x00, "control"),
    (0x01, "arithmetic"),
    (0x20, "hash"),
    (0x30, "context"),
    (0x50, "stack"),
    (0x51, "memory"),
    (0x54, "storage"),
    (0x56, "control"),
    (0x59, "memory"),
    (0x5A, "context"),
    (0x5B, "control"),
    (0x5C, "transient"),
    (0x5E, "memory"),
    (0x5F, "stack"),
    (0xA0, "log"),
    (0xF0, "call"),
    (0xF3, "control"),
    (0xF4, "call"),
    (0xFB, "control"),
)
_STATE_READERS = {0x31, 0x3B, 0x3C, 0x3F}


def opcode_class(opcode: int) -> str:
    """Return the class an instruction's gas is counted under."""
    if opcode in _STATE_READERS:
        return "account"
    if opcode == 0xFA:
        return "call"
    found = _CLASSES[0][1]
    for first, name in _CLASSES:
        if opcode >= first:
            found = name
    return found


_CLASS_OF = tuple(opcode_class(opcode) for opcode in range(256))


def gas_by_class(gas_by_opcode: Mapping[int, int], *, precompile: int, intrinsic: int) -> dict[str, int]:
    """Return gas by class in order of their names; a class that ran is there even where it took none."""
    totals: dict[str, int] = {}
    for opcode, gas in gas_by_opcode.items():
        name = _CLASS_OF[opcode]
        totals[name] = totals.get(name, 0) + gas
    if precompile:
        totals["precompile"] = precompile
    if intrinsic:
        totals["intrinsic"] = intrinsic
    return dict(sorted(totals.items()))
