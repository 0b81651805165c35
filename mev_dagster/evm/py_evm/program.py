"""Code cut into blocks of instructions that run from first to last, decoded once.

A block's static gas is taken and its stack heights are checked when it is entered: a block that cannot be
finished fails the frame, which takes back whatever it did, so it does not matter at which instruction.
Blocks end where it would matter.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from eth.exceptions import InvalidInstruction

from mev_dagster.evm.py_evm.computation import CALL_OPCODES
from mev_dagster.evm.py_evm.frame_ops import FRAME_OPERATIONS, HEIGHTS, sload_by_warmth
from mev_dagster.evm.py_evm.stack_ops import STACK_OPERATIONS

PUSH, DUP, SWAP, ON_STACK, ON_FRAME, _NOTHING = range(6)  # what to do with an instruction's argument
FALL_THROUGH, JUMP, JUMP_IF, STOP = range(4)  # how a block ends

_STOP, _JUMP, _JUMPI, _PC, _JUMPDEST = 0x00, 0x56, 0x57, 0x58, 0x5B
_PUSH0, _PUSH32, _DUP1, _DUP16, _SWAP1, _SWAP16 = 0x5F, 0x7F, 0x80, 0x8F, 0x90, 0x9F
_SLOAD = 0x54
_JUMPDEST_BYTE = b"\x5b"
# SSTORE (stipend check), GAS, calls and creations see the gas that is left; what reads state is done when
# the frame fails after it, so that failed frames have read what they have read in any engine.
_SEES_GAS = {0x55, 0x5A, *CALL_OPCODES}
_READS_STATE = {0x31, 0x3B, 0x3C, 0x3F, 0x40, 0x47, 0x54}
_RAISES = {0xF3, 0xFD, 0xFF}  # RETURN, REVERT, SELFDESTRUCT
_ENDS_BLOCK = _SEES_GAS | _READS_STATE | _RAISES
_PROGRAMS_KEPT = 1_000

# Instructions that only steer: items they take and leave, and how they end a block.
_FLOW = {
    _STOP: (0, 0, STOP),
    _JUMP: (1, 0, JUMP),
    _JUMPI: (2, 0, JUMP_IF),
    _PC: (0, 1, FALL_THROUGH),
    _JUMPDEST: (0, 0, FALL_THROUGH),
}

# A push with its data, whatever the data are, or a jump destination outside of data.
_PUSH_OR_JUMPDEST = re.compile(
    b"|".join([re.escape(bytes([0x5F + n])) + b"[\\x00-\\xff]{0,%d}" % n for n in range(1, 33)])
    + b"|"
    + re.escape(_JUMPDEST_BYTE)
)


class BasicBlock(NamedTuple):
    """Instructions with what they ask for together; `next_pc` is where falling through leads."""

    gas: int
    needs: int
    grows: int
    length: int
    instructions: tuple[tuple[int, Any], ...]
    end: int
    next_pc: int


class _Entry(NamedTuple):
    """What decoding has to know of one opcode. `size` counts the bytes of data behind a push."""

    kind: int
    argument: Any
    gas: int
    taken: int
    left: int
    end: int
    size: int = 0
    ends_block: bool = False


class InstructionSet:
    """A fork's instructions in the form that blocks are made of, and the programs decoded with them."""

    def __init__(self, opcodes: Mapping[int, Any], *, warmth: bool) -> None:
        self.entries = tuple(
            _entry(opcode, opcodes[opcode], warmth=warmth) if opcode in opcodes else _invalid(opcode)
            for opcode in range(256)
        )
        # The decoded form of a code, kept for the next call.
        self.program = lru_cache(maxsize=_PROGRAMS_KEPT)(lambda code: Program(code, self.entries))


def _entry(opcode: int, operation: Any, *, warmth: bool) -> _Entry:
    logic = getattr(operation, "logic_fn", None)
    gas = 0 if logic is None else operation.gas_cost  # call opcodes are objects that charge for themselves
    if _PUSH0 <= opcode <= _PUSH32:
        return _Entry(PUSH, 0, gas, 0, 1, FALL_THROUGH, size=opcode - _PUSH0)
    if _DUP1 <= opcode <= _DUP16:
        depth = opcode - _DUP1 + 1
        return _Entry(DUP, -depth, gas, depth, depth + 1, FALL_THROUGH)
    if _SWAP1 <= opcode <= _SWAP16:
        depth = opcode - _SWAP1 + 2
        return _Entry(SWAP, -depth, gas, depth, depth, FALL_THROUGH)
    if opcode in STACK_OPERATIONS:
        function, taken, left = STACK_OPERATIONS[opcode]
        return _Entry(ON_STACK, function, gas, taken, left, FALL_THROUGH)
    if opcode in _FLOW:
        taken, left, end = _FLOW[opcode]
        return _Entry(_NOTHING, None, gas, taken, left, end, ends_block=end != FALL_THROUGH)
    taken, left = HEIGHTS[opcode]
    on_frame = FRAME_OPERATIONS.get(opcode, operation if logic is None else logic)
    if opcode in CALL_OPCODES:
        on_frame = _telling_kind(operation, CALL_OPCODES[opcode])
    elif opcode == _SLOAD and warmth:
        on_frame = sload_by_warmth
    return _Entry(ON_FRAME, on_frame, gas, taken, left, FALL_THROUGH, ends_block=opcode in _ENDS_BLOCK)


def _invalid(opcode: int) -> _Entry:
    def halt(frame: Any) -> None:
        raise InvalidInstruction(f"opcode {opcode:#04x}")

    return _Entry(ON_FRAME, halt, 0, 0, 0, STOP, ends_block=True)


def _telling_kind(operation: Callable[[Any], None], kind: str) -> Callable[[Any], None]:
    def call(frame: Any) -> None:
        frame.child_kind = kind
        operation(frame)

    return call


class Program:
    """One code; its blocks are decoded when they are first reached."""

    def __init__(self, code: bytes, entries: tuple[_Entry, ...]) -> None:
        self._code = code
        self._entries = entries
        self._jump_destinations: frozenset[int] | None = None
        self.blocks: dict[int, BasicBlock] = {}
        self.jump_targets: dict[int, BasicBlock] = {}

    def block_at(self, pc: int) -> BasicBlock:
        """Decode the block that starts here."""
        block = self.blocks[pc] = self._decode(pc)
        return block

    def jump_target(self, pc: int) -> BasicBlock | None:
        """Return the block at a valid jump destination, None when it is not valid."""
        if self._jump_destinations is None:
            self._jump_destinations = frozenset(
                match.start()
                for match in _PUSH_OR_JUMPDEST.finditer(self._code)
                if match[0] == _JUMPDEST_BYTE
            )
        if pc not in self._jump_destinations:
            return None
        block = self.jump_targets[pc] = self.blocks.get(pc) or self.block_at(pc)
        return block

    def _decode(self, start: int) -> BasicBlock:
        code, entries, code_size = self._code, self._entries, len(self._code)
        instructions: list[tuple[int, Any]] = []
        total_gas = height = needs = grows = length = 0
        pc = start
        while True:
            opcode = code[pc] if pc < code_size else _STOP
            if opcode == _JUMPDEST and pc != start:
                end = FALL_THROUGH
                break  # another block can be entered here
            kind, argument, gas, taken, left, end, size, ends_block = entries[opcode]
            pc += 1
            if size:
                argument = int.from_bytes(code[pc : pc + size].ljust(size, b"\0"), "big")
                pc += size
            elif opcode == _PC:
                kind, argument = PUSH, pc - 1
            if kind != _NOTHING:
                instructions.append((kind, argument))
            total_gas += gas
            length += 1
            if taken - height > needs:  # noqa: PLR1730 - a call of max() for each instruction doubles the time
                needs = taken - height
            height += left - taken
            if height > grows:  # noqa: PLR1730
                grows = height
            if ends_block:
                break
        return BasicBlock(total_gas, needs, grows, length, tuple(instructions), end, pc)
