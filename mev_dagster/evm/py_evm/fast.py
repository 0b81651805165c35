"""The fast interpreter: blocks of decoded instructions on a plain list, py-evm's opcodes for the rest.

It gives what `reference.py` gives; tests hold the two against each other.
"""

from typing import Any

from eth.exceptions import FullStack, Halt, InsufficientStack, InvalidJumpDestination, OutOfGas

from mev_dagster.evm.py_evm.computation import Frame
from mev_dagster.evm.py_evm.limits import Budget
from mev_dagster.evm.py_evm.message import CallMessage
from mev_dagster.evm.py_evm.program import (
    DUP,
    FALL_THROUGH,
    JUMP,
    JUMP_IF,
    ON_STACK,
    PUSH,
    SWAP,
    BasicBlock,
    InstructionSet,
)

_STACK_LIMIT = 1024
_WORD = 32
_STEPS_BETWEEN_LOOKS = 2_048


class FastFrame(Frame):
    """A frame whose stack holds integers only and whose gas is one number."""

    instruction_set: InstructionSet

    def __init__(self, state: Any, message: CallMessage, transaction_context: Any) -> None:
        self.state = state
        self.msg = message
        self.transaction_context = transaction_context
        self.gas_left = message.gas
        self.gas_refunded = 0
        self.values: list[int] = []
        self.memory = self._memory = bytearray()
        self._memory_gas = 0
        self.children: list[Any] = []
        self.accounts_to_delete: list[bytes] = []
        self.beneficiaries: list[bytes] = []
        self._log_entries: list[Any] = []

    def run(self) -> None:  # noqa: PLR0915 - one loop, written out because it is the loop
        """Execute the code until it halts."""
        budget: Budget = self.transaction_context.budget
        program = self.instruction_set.program(self.msg.code)
        stack, steps = self.values, 0
        block: BasicBlock | None = program.blocks.get(0) or program.block_at(0)
        try:
            while True:
                assert block is not None
                gas, needs, grows, length, instructions, end, next_pc = block
                height = len(stack)
                if self.gas_left < gas:
                    raise OutOfGas(f"{gas} gas for {length} instructions, {self.gas_left} left")
                if height < needs:
                    raise InsufficientStack(f"{needs} items needed, {height} there")
                if height + grows > _STACK_LIMIT:
                    raise FullStack("stack limit reached")
                self.gas_left -= gas
                steps += length
                if steps > _STEPS_BETWEEN_LOOKS:
                    budget.take(steps)
                    steps = 0
                for kind, argument in instructions:
                    if kind == PUSH:
                        stack.append(argument)
                    elif kind == DUP:
                        stack.append(stack[argument])
                    elif kind == SWAP:
                        stack[-1], stack[argument] = stack[argument], stack[-1]
                    elif kind == ON_STACK:
                        argument(stack)
                    else:
                        argument(self)
                if end == JUMP_IF:
                    target = stack.pop()
                    if not stack.pop():
                        block = program.blocks.get(next_pc) or program.block_at(next_pc)
                        continue
                elif end == JUMP:
                    target = stack.pop()
                elif end == FALL_THROUGH:
                    block = program.blocks.get(next_pc) or program.block_at(next_pc)
                    continue
                else:
                    break
                block = program.jump_targets.get(target) or program.jump_target(target)
                if block is None:
                    raise InvalidJumpDestination(f"{target:#x} is no jump destination")
        except Halt:
            pass
        finally:
            budget.take(steps)

    # -- what py-evm's opcodes call on their frame --------------------------------------------------

    def consume_gas(self, amount: int, reason: str) -> None:
        """Take gas, or fail."""
        if amount > self.gas_left:
            raise OutOfGas(f"{amount} gas for {reason}, {self.gas_left} left")
        self.gas_left -= amount

    def return_gas(self, amount: int) -> None:
        """Give back what a child left over."""
        self.gas_left += amount

    def refund_gas(self, amount: int) -> None:
        """Note a refund for the end of the transaction; it may be negative (EIP-1283)."""
        self.gas_refunded += amount

    def get_gas_remaining(self) -> int:
        """Return the gas that is left; creation can fail after the code has run."""
        return 0 if self._error is not None and self._error.burns_gas else self.gas_left

    def get_gas_refund(self) -> int:
        """Return the refunds of this frame and its children; a failed frame keeps only its message's."""
        refund: int = self.msg.refund
        if self._error is None:
            refund += self.gas_refunded + sum(child.get_gas_refund() for child in self.children)
        return refund

    def extend_memory(self, start_position: int, size: int) -> None:
        """Grow the memory to whole words up to an end, and charge for it before it is there."""
        if not size:
            return
        missing = start_position + size - len(self.memory)
        if missing > 0:
            words = (start_position + size + _WORD - 1) // _WORD
            gas = 3 * words + words * words // 512
            self.consume_gas(gas - self._memory_gas, "memory")
            self._memory_gas = gas
            self.memory.extend(bytes(words * _WORD - len(self.memory)))

    def memory_write(self, start_position: int, size: int, value: bytes) -> None:
        """Write into memory that has been extended."""
        if size:
            self.memory[start_position : start_position + size] = value

    def memory_read_bytes(self, start_position: int, size: int) -> bytes:
        """Read memory that has been extended."""
        return bytes(self.memory[start_position : start_position + size])

    def memory_copy(self, destination: int, source: int, length: int) -> None:
        """Copy within memory that has been extended."""
        if length:
            self.memory[destination : destination + length] = self.memory[source : source + length]

    def stack_pop1_int(self) -> int:
        """Take one number."""
        return self.values.pop()

    def stack_pop1_bytes(self) -> bytes:
        """Take one number as its shortest big-endian bytes."""
        value = self.values.pop()
        return value.to_bytes((value.bit_length() + 7) // 8 or 1, "big")

    def stack_pop_ints(self, num_items: int) -> list[int]:
        """Take several numbers, the top first."""
        taken = self.values[: -num_items - 1 : -1]
        del self.values[-num_items:]
        return taken

    def stack_push_int(self, value: int) -> None:
        """Put a number on the stack."""
        self.values.append(value)

    def stack_push_bytes(self, value: bytes) -> None:
        """Put bytes on the stack as a number."""
        self.values.append(int.from_bytes(value, "big"))
