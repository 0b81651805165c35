"""Instructions that touch nothing but the stack, as functions on the list that is the stack.

The interpreter has checked the stack's height before a block of instructions, so none is checked here.
"""

from collections.abc import Callable

Stack = list[int]

_MAX = (1 << 256) - 1
_SIGN = 1 << 255
_WORD_BITS = 256


def _signed(value: int) -> int:
    return value - (1 << 256) if value & _SIGN else value


def _pop(stack: Stack) -> None:
    del stack[-1]


def _add(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] = (left + stack[-1]) & _MAX


def _mul(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] = (left * stack[-1]) & _MAX


def _sub(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] = (left - stack[-1]) & _MAX


def _div(stack: Stack) -> None:
    left = stack.pop()
    right = stack[-1]
    stack[-1] = left // right if right else 0


def _sdiv(stack: Stack) -> None:
    left, right = _signed(stack.pop()), _signed(stack[-1])
    quotient = abs(left) // abs(right) if right else 0
    stack[-1] = (-quotient if (left < 0) != (right < 0) else quotient) & _MAX


def _mod(stack: Stack) -> None:
    left = stack.pop()
    right = stack[-1]
    stack[-1] = left % right if right else 0


def _smod(stack: Stack) -> None:
    left, right = _signed(stack.pop()), _signed(stack[-1])
    remainder = abs(left) % abs(right) if right else 0
    stack[-1] = (-remainder if left < 0 else remainder) & _MAX


def _addmod(stack: Stack) -> None:
    left, right = stack.pop(), stack.pop()
    modulus = stack[-1]
    stack[-1] = (left + right) % modulus if modulus else 0


def _mulmod(stack: Stack) -> None:
    left, right = stack.pop(), stack.pop()
    modulus = stack[-1]
    stack[-1] = left * right % modulus if modulus else 0


def _signextend(stack: Stack) -> None:
    size, value = stack.pop(), stack[-1]
    if size < 31:
        sign = 1 << (8 * size + 7)
        stack[-1] = (value | (_MAX + 1 - sign)) if value & sign else value & (sign - 1)


def _lt(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] = 1 if left < stack[-1] else 0


def _gt(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] = 1 if left > stack[-1] else 0


def _slt(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] = 1 if _signed(left) < _signed(stack[-1]) else 0


def _sgt(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] = 1 if _signed(left) > _signed(stack[-1]) else 0


def _eq(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] = 1 if left == stack[-1] else 0


def _iszero(stack: Stack) -> None:
    stack[-1] = 0 if stack[-1] else 1


def _and(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] &= left


def _or(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] |= left


def _xor(stack: Stack) -> None:
    left = stack.pop()
    stack[-1] ^= left


def _not(stack: Stack) -> None:
    stack[-1] ^= _MAX


def _byte(stack: Stack) -> None:
    position = stack.pop()
    stack[-1] = stack[-1] >> 8 * (31 - position) & 0xFF if position < 32 else 0


def _shl(stack: Stack) -> None:
    shift = stack.pop()
    stack[-1] = (stack[-1] << shift) & _MAX if shift < _WORD_BITS else 0


def _shr(stack: Stack) -> None:
    shift = stack.pop()
    stack[-1] = stack[-1] >> shift if shift < _WORD_BITS else 0


def _sar(stack: Stack) -> None:
    shift = stack.pop()
    stack[-1] = (_signed(stack[-1]) >> min(shift, 255)) & _MAX


def _clz(stack: Stack) -> None:
    stack[-1] = _WORD_BITS - stack[-1].bit_length()


# opcode -> (function, items it needs, items it leaves)
STACK_OPERATIONS: dict[int, tuple[Callable[[Stack], None], int, int]] = {
    0x01: (_add, 2, 1),
    0x02: (_mul, 2, 1),
    0x03: (_sub, 2, 1),
    0x04: (_div, 2, 1),
    0x05: (_sdiv, 2, 1),
    0x06: (_mod, 2, 1),
    0x07: (_smod, 2, 1),
    0x08: (_addmod, 3, 1),
    0x09: (_mulmod, 3, 1),
    0x0B: (_signextend, 2, 1),
    0x10: (_lt, 2, 1),
    0x11: (_gt, 2, 1),
    0x12: (_slt, 2, 1),
    0x13: (_sgt, 2, 1),
    0x14: (_eq, 2, 1),
    0x15: (_iszero, 1, 1),
    0x16: (_and, 2, 1),
    0x17: (_or, 2, 1),
    0x18: (_xor, 2, 1),
    0x19: (_not, 1, 1),
    0x1A: (_byte, 2, 1),
    0x1B: (_shl, 2, 1),
    0x1C: (_shr, 2, 1),
    0x1D: (_sar, 2, 1),
    0x1E: (_clz, 1, 1),
    0x50: (_pop, 1, 0),
}
