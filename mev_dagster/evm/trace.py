"""Instruction by instruction: what each local engine did in a transaction, and where the two part."""

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Any, NamedTuple

from eth.vm import opcode_values

from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import InputError
from mev_dagster.evm.py_evm.engine import PyEvmEngine
from mev_dagster.evm.types import BlockEnv, StateSource

_NAMES = {value: name for name, value in vars(opcode_values).items() if name.isupper()} | {0x1E: "CLZ"}
_STEPS_KEPT = 1_000_000
_ITEMS_SHOWN = 4
_WORD = 32
# Depth, program counter, opcode, gas left, height of the stack, its top items (native/src/steps.rs).
_RECORD = Struct(f">HIBQH{_ITEMS_SHOWN * _WORD}s")


class TraceStep(NamedTuple):
    """One instruction about to run: where, which, with how much gas, on what stack (its top first)."""

    depth: int
    pc: int
    opcode: int
    gas_left: int
    stack_height: int
    stack_top: tuple[int, ...]

    def __str__(self) -> str:
        top = " ".join(f"{item:#x}" for item in self.stack_top)
        more = " …" if self.stack_height > _ITEMS_SHOWN else ""
        name = _NAMES.get(self.opcode, f"0x{self.opcode:02x}")
        return f"depth {self.depth} pc {self.pc} {name} gas {self.gas_left} stack [{top}{more}]"


class Trace:
    """The instructions of one transaction, packed: a busy one runs a million."""

    def __init__(self, packed: bytes) -> None:
        self._packed = packed

    def __len__(self) -> int:
        return len(self._packed) // _RECORD.size

    def __getitem__(self, index: int) -> TraceStep:
        if not 0 <= index < len(self):
            raise IndexError(index)
        depth, pc, opcode, gas_left, height, items = _RECORD.unpack(self.record(index))
        shown = range(0, min(height, _ITEMS_SHOWN) * _WORD, _WORD)
        top = tuple(int.from_bytes(items[start : start + _WORD], "big") for start in shown)
        return TraceStep(depth, pc, opcode, gas_left, height, top)

    def __iter__(self) -> Iterator[TraceStep]:
        return (self[index] for index in range(len(self)))

    def record(self, index: int) -> bytes:
        """Return one instruction as it is packed."""
        return self._packed[index * _RECORD.size : (index + 1) * _RECORD.size]


def trace(
    state: StateSource,
    env: BlockEnv,
    txs: Sequence[Transaction],
    index: int,
    *,
    engine: str = "py_evm",
    begin_block: bool = True,
    steps_kept: int = _STEPS_KEPT,
) -> Trace:
    """Return the first steps of one transaction after those before it, as a local engine executes it.

    A transaction that the engine finds invalid has none.
    """
    if engine == "py_evm":
        return _of_the_reference(state, env, txs, index, begin_block, steps_kept)
    if engine == "revm":
        from mev_dagster.evm.revm.engine import RevmEngine

        session = RevmEngine().session(state, env, txs[:index], begin_block=begin_block)
        return Trace(session.steps(txs[index], steps_kept))
    raise InputError(f"the {engine} engine shows no instructions; py_evm and revm do")


def first_difference(reference: Trace, other: Trace) -> str:
    """Return the first instruction at which two traces differ, in words; empty when they agree."""
    for index in range(min(len(reference), len(other))):
        if reference.record(index) != other.record(index):
            return f"step {index}: reference {reference[index]}; other {other[index]}"
    if len(reference) != len(other):
        longer, whose = (reference, "reference") if len(reference) > len(other) else (other, "other")
        index = min(len(reference), len(other))
        after = f"after {longer[index - 1]} " if index else ""
        return f"step {index}: {after}only the {whose} goes on with {longer[index]}"
    return ""


def _of_the_reference(
    state: StateSource,
    env: BlockEnv,
    txs: Sequence[Transaction],
    index: int,
    begin_block: bool,
    steps_kept: int,
) -> Trace:
    session = PyEvmEngine(reference=True).session(state, env, txs[:index], begin_block=begin_block)
    packed, left = bytearray(), steps_kept

    def keep(frame: Any, pc: int, opcode: int, gas_left: int) -> None:
        nonlocal left
        if left == 0 or not len(frame.code):
            return  # empty code ends before its first instruction, though py-evm has it stop by one
        left -= 1
        values = frame._stack.values
        top = b"".join(
            item.to_bytes(_WORD, "big") if isinstance(item, int) else item.rjust(_WORD, b"\0")
            for item in reversed(values[-_ITEMS_SHOWN:])
        )
        packed.extend(_RECORD.pack(frame.msg.depth, pc, opcode, gas_left, len(values), top))

    session.watch(txs[index], keep)
    return Trace(bytes(packed))
