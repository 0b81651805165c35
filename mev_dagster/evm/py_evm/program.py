"""Code cut into blocks of instructions that run from first to last, decoded once.

A block's static gas is taken and its stack heights are checked when it is entered: a block that cannot be
finished fails the frame, which takes back whatever it did, so it does not matter at which instruction.
Blocks end where it would matter.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from eth.exceptions import InvalidInstruction

from mev_dagster.evm.py_evm.computation import CALL_OPCODES
from mev_dagster.evm.py_evm.frame_ops import FRAME_OPERATIONS, HEIGHTS, sload_by_warmth
from mev_dagster.evm.py_evm.stack_ops import STACK_OPERATIONS

PUSH, DUP, SWAP, ON_STACK, ON_FRAME = range(5)  # what to do with an instruction's argument
FALL_THROUGH, JUMP, JUMP_IF, STOP = range(4)  # how a block ends

_STOP, _JUMP, _JUMPI, _PC, _JUMPDEST = 0x00, 0x56, 0x57, 0x58, 0x5B
_PUSH0, _PUSH32, _DUP1, _DUP16, _SWAP1, _SWAP16 = 0x5F, 0x7F, 0x80, 0x8F, 0x90, 0x9F
_SLOAD = 0x54
_JUMPDEST_BYTE = b"\x5b"
# SSTORE (stipend check), GAS, calls and creations see the gas that is left; what reads state is done when
# the frame fails after it, so that failed frames have read what they have read in any engine.
_SEES_GAS = {0x55, 0x5A, *CALL_OPCODES}
_READS_STATE = {0x31, 0x3B, 0x3C, 0x3F, 0x40, 0x47, 0x54}
_ENDS_BLOCK = _SEES_GAS | _READS_STATE
_LAST = {0xF3, 0xFD, 0xFF}  # RETURN, REVERT, SELFDESTRUCT raise on their own
_PROGRAMS_KEPT = 4_096

# A push with its data, whatever the data are, or a jump destination outside of data.
_PUSH_OR_JUMPDEST = re.compile(
    b"|".join([re.escape(bytes([0x5F + n])) + b"[\\x00-\\xff]{0,%d}" % n for n in range(1, 33)])
    + b"|"
    + re.escape(_JUMPDEST_BYTE)
)


class Block(NamedTuple):
    """Instructions with what they ask for together; `next_pc` is where falling through leads."""

    gas: int
    needs: int
    grows: int
    length: int
    instructions: tuple[tuple[int, Any], ...]
    end: int
    next_pc: int


class InstructionSet:
    """A fork's instructions in the form that blocks are made of, and the programs decoded with them."""

    def __init__(self, opcodes: Mapping[int, Any], *, warmth: bool) -> None:
        self.gas: dict[int, int] = {}
        self.on_frame: dict[int, Callable[[Any], None]] = {}
        self.known = frozenset(opcodes)
        for opcode, operation in opcodes.items():
            logic = getattr(operation, "logic_fn", None)
            # Call opcodes are objects that charge for themselves.
            self.gas[opcode] = 0 if logic is None else operation.gas_cost
            self.on_frame[opcode] = FRAME_OPERATIONS.get(opcode, operation if logic is None else logic)
            if opcode in CALL_OPCODES:
                self.on_frame[opcode] = _telling_kind(operation, CALL_OPCODES[opcode])
        if warmth:
            self.on_frame[_SLOAD] = sload_by_warmth
        self._programs: dict[bytes, Program] = {}

    def program(self, code: bytes) -> "Program":
        """Return the decoded form of a code, kept for the next call."""
        found = self._programs.get(code)
        if found is None:
            if len(self._programs) >= _PROGRAMS_KEPT:
                self._programs.clear()
            found = self._programs[code] = Program(code, self)
        return found


class Program:
    """One code; its blocks are decoded when they are first reached."""

    def __init__(self, code: bytes, instruction_set: InstructionSet) -> None:
        self._code = code
        self._set = instruction_set
        self._jump_destinations: frozenset[int] | None = None
        self.blocks: dict[int, Block] = {}
        self.jump_targets: dict[int, Block] = {}

    def block_at(self, pc: int) -> Block:
        """Decode the block that starts here."""
        block = self.blocks[pc] = self._decode(pc)
        return block

    def jump_target(self, pc: int) -> Block | None:
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

    def _decode(self, start: int) -> Block:
        code, known, gas_of = self._code, self._set.known, self._set.gas
        instructions: list[tuple[int, Any]] = []
        gas = height = needs = grows = count = 0
        end, pc = FALL_THROUGH, start
        while True:
            opcode = code[pc] if pc < len(code) else _STOP
            if opcode == _JUMPDEST and pc != start:
                break  # another block can be entered here
            at, pc = pc, pc + 1
            count += 1
            if opcode not in known:
                instructions.append((ON_FRAME, _invalid(opcode)))
                end = STOP
                break
            gas += gas_of[opcode]
            taken, left = 0, 1
            if _PUSH0 <= opcode <= _PUSH32:
                size = opcode - _PUSH0
                instructions.append((PUSH, int.from_bytes(code[pc : pc + size].ljust(size, b"\0"), "big")))
                pc += size
            elif _DUP1 <= opcode <= _DUP16:
                taken = opcode - _DUP1 + 1
                left = taken + 1
                instructions.append((DUP, -taken))
            elif _SWAP1 <= opcode <= _SWAP16:
                taken = left = opcode - _SWAP1 + 2
                instructions.append((SWAP, -taken))
            elif opcode in STACK_OPERATIONS:
                function, taken, left = STACK_OPERATIONS[opcode]
                instructions.append((ON_STACK, function))
            elif opcode == _PC:
                instructions.append((PUSH, at))
            elif opcode == _JUMPDEST:
                taken, left = 0, 0
            elif opcode == _JUMP:
                taken, left, end = 1, 0, JUMP
            elif opcode == _JUMPI:
                taken, left, end = 2, 0, JUMP_IF
            elif opcode == _STOP:
                taken, left, end = 0, 0, STOP
            else:
                taken, left = HEIGHTS[opcode]
                instructions.append((ON_FRAME, self._set.on_frame[opcode]))
            needs = max(needs, taken - height)
            height += left - taken
            grows = max(grows, height)
            if end != FALL_THROUGH or opcode in _ENDS_BLOCK or opcode in _LAST:
                break
        return Block(gas, needs, grows, count, tuple(instructions), end, pc)


def _telling_kind(operation: Callable[[Any], None], kind: str) -> Callable[[Any], None]:
    def call(frame: Any) -> None:
        frame.child_kind = kind
        operation(frame)

    return call


def _invalid(opcode: int) -> Callable[[Any], None]:
    def halt(frame: Any) -> None:
        raise InvalidInstruction(f"opcode {opcode:#04x}")

    return halt
