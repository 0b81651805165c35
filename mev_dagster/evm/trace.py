"""Instruction by instruction: what the reference interpreter did, and where another trace departs from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth.vm import opcode_values

from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.py_evm.engine import PyEvmEngine
from mev_dagster.evm.types import BlockEnv, StateSource

_NAMES = {value: name for name, value in vars(opcode_values).items() if name.isupper()} | {0x1E: "CLZ"}
_STEPS_KEPT = 1_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction about to run: where, which, with how much gas, on what stack (the top last)."""

    depth: int
    pc: int
    opcode: int
    gas_left: int
    stack: tuple[int, ...] = ()

    def __str__(self) -> str:
        top = " ".join(f"{item:#x}" for item in reversed(self.stack[-4:]))
        name = _NAMES.get(self.opcode, f"0x{self.opcode:02x}")
        return f"depth {self.depth} pc {self.pc} {name} gas {self.gas_left} stack [{top}]"


def trace(
    state: StateSource,
    env: BlockEnv,
    txs: Sequence[Transaction],
    index: int,
    *,
    begin_block: bool = True,
    steps_kept: int = _STEPS_KEPT,
) -> list[Step]:
    """Return the steps of one transaction after those before it, as the reference executes it."""
    session = PyEvmEngine(reference=True).session(state, env, txs[:index], begin_block=begin_block)
    steps: list[Step] = []

    def keep(frame: Any, pc: int, opcode: int, gas_left: int) -> None:
        if len(steps) < steps_kept:
            stack = tuple(
                item if isinstance(item, int) else int.from_bytes(item, "big") for item in frame._stack.values
            )
            steps.append(Step(frame.msg.depth, pc, opcode, gas_left, stack))

    session.watch(txs[index], keep)
    return steps


def first_difference(reference: Sequence[Step], other: Sequence[Step]) -> str:
    """Return the first instruction at which two traces differ, in words; empty when they agree.

    A trace without stacks is compared without them.
    """
    for index, (ours, theirs) in enumerate(zip(reference, other, strict=False)):
        same = (ours.depth, ours.pc, ours.opcode, ours.gas_left) == (
            theirs.depth,
            theirs.pc,
            theirs.opcode,
            theirs.gas_left,
        )
        if not same or (ours.stack and theirs.stack and ours.stack != theirs.stack):
            return f"step {index}: reference {ours}; other {theirs}"
    if len(reference) != len(other):
        longer, whose = (reference, "reference") if len(reference) > len(other) else (other, "other")
        index = min(len(reference), len(other))
        return f"step {index}: only the {whose} goes on with {longer[index]}"
    return ""
