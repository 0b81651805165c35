"""The reference interpreter: py-evm's own loop, stack, memory and opcodes, one instruction at a time.

Slower than `fast.py`, against which it is held; it is also the one that can be watched.
"""

from collections.abc import Callable
from typing import Any

from eth.exceptions import Halt
from eth.vm.logic.invalid import InvalidOpcode

from mev_dagster.evm.py_evm.computation import CALL_OPCODES, Frame
from mev_dagster.evm.py_evm.limits import Budget

# (frame, program counter, opcode, gas before) for each instruction about to run
Watcher = Callable[[Any, int, int, int], None]


class ReferenceFrame(Frame):
    """Runs py-evm's opcodes as they are."""

    def run(self) -> None:
        """Execute the code until it halts."""
        budget: Budget = self.transaction_context.budget
        watcher: Watcher | None = self.transaction_context.watcher
        opcodes = self.opcodes
        try:
            pc = self.code.program_counter
            for opcode in self.code:
                budget.take(1)
                if watcher is not None:
                    watcher(self, pc, opcode, self.get_gas_remaining())
                operation = opcodes.get(opcode)
                if operation is None:
                    operation = InvalidOpcode(opcode)
                self.child_kind = CALL_OPCODES.get(opcode, "")
                operation(computation=self)
                pc = self.code.program_counter
        except Halt:
            pass
