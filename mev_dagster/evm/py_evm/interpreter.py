"""The interpreter loop over py-evm's opcodes, with limits on steps and time.

Mixed in front of each fork's computation class. It also mends what py-evm 0.12.1b1 decides by "the sender
is the origin": since EIP-7702 an account with code can be the origin, so only depth 0 is the outermost
call.
"""

import time
from typing import Any

from eth.exceptions import Halt
from eth.vm.computation import BaseComputation
from eth.vm.logic.invalid import InvalidOpcode

from mev_dagster.evm.validate import Invalid

_STEPS_BETWEEN_CLOCKS = 4096


class LimitReached(Exception):
    """Execution was stopped by this program; not an EVM error, so py-evm's own handling lets it pass."""

    def __init__(self, what: Invalid) -> None:
        super().__init__(what)
        self.what = what


class Budget:
    """Steps and seconds one transaction may take; None is no limit."""

    __slots__ = ("deadline", "steps_left")

    def __init__(self, max_steps: int | None, max_seconds: float | None) -> None:
        self.steps_left = max_steps
        self.deadline = None if max_seconds is None else time.monotonic() + max_seconds

    def take(self, steps: int) -> None:
        """Account for executed steps, or raise `LimitReached`."""
        if self.steps_left is not None:
            self.steps_left -= steps
            if self.steps_left < 0:
                raise LimitReached(Invalid.STEP_LIMIT)
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise LimitReached(Invalid.TIME_LIMIT)


class Interpreter(BaseComputation):  # type: ignore[misc]
    """Runs one message."""

    contracts_created: list[bytes]

    @classmethod
    def apply_computation(
        cls, state: Any, message: Any, transaction_context: Any, parent_computation: Any = None
    ) -> Any:
        """Run the message's code, or the precompile it addresses, and return the finished computation."""
        with cls(state, message, transaction_context) as computation:
            computation.contracts_created = (
                [] if parent_computation is None else parent_computation.contracts_created
            )
            if message.is_create:
                computation.contracts_created.append(message.storage_address)
            precompile = computation.precompiles.get(message.code_address)
            if precompile is None:
                computation.run()
            elif not message.is_delegation:
                precompile(computation)
        return computation

    def run(self) -> None:
        """Execute opcodes until the code halts; EVM errors are left to the context manager."""
        budget: Budget = self.transaction_context.budget
        opcodes, steps = self.opcodes, 0
        try:
            for opcode in self.code:
                steps += 1
                if steps == _STEPS_BETWEEN_CLOCKS:
                    budget.take(steps)
                    steps = 0
                operation = opcodes.get(opcode)
                if operation is None:
                    operation = InvalidOpcode(opcode)
                operation(computation=self)
        except Halt:
            pass
        finally:
            budget.take(steps)
